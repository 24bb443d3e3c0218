# The team and one's own account.
team-lead = کسانی که پیام‌های شهروندان را می‌بینند و پاسخ می‌دهند.
role = نقش
joined = عضویت
role-owner = مدیر ستاد
role-owner-text = همه‌چیز، از جمله دعوت اعضا
role-staff = همکار
role-staff-text = خواندن و پاسخ دادن به پیام‌ها
member-invited = دعوت‌شده
member-link-title = پیوند دعوت عضو تازه
member-link-text = این پیوند فقط همین یک بار نشان داده می‌شود. آن را از راهی امن به او برسانید؛ عضویت وقتی آغاز می‌شود که خودش آن را باز کند و بپذیرد.
invite-title = دعوت عضو تازه
invite-submit = ساختن پیوند دعوت
change-password = تغییر گذرواژه
change-password-text = پس از تغییر، در دستگاه‌های دیگر از حساب خارج می‌شوید.
display = زبان و رنگ
display-text = برای همین مرورگر.
log-out-text = پایان کار در این دستگاه

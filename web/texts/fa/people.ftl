# One's own account.
change-password = تغییر گذرواژه
change-password-text = پس از تغییر، در دستگاه‌های دیگر از حساب خارج می‌شوید.
preferences-title = زبان و منطقهٔ زمانی
preferences-text = برای حساب شما: نامه‌ها به این زبان نوشته و زمان‌ها در این منطقه نشان داده می‌شوند.
language-of-campaign = انتخاب نشده: زبان ستاد
time-zone = منطقهٔ زمانی
zone-utc = زمان هماهنگ جهانی
zone-near = دم دست
zone-asia = آسیا
zone-europe = اروپا
zone-america = آمریکا
zone-africa = آفریقا
zone-oceania = استرالیا و اقیانوس آرام
zone-islands = جزیره‌های دیگر اقیانوس‌ها و جنوبگان
display = زبان و رنگ
display-text = فقط برای همین مرورگر.
log-out-text = پایان کار در این دستگاه

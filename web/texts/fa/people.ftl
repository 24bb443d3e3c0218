# One's own account.
change-password = تغییر گذرواژه
change-password-text = پس از تغییر، در دستگاه‌های دیگر از حساب خارج می‌شوید.
display = زبان و رنگ
display-text = برای همین مرورگر.
log-out-text = پایان کار در این دستگاه

# What every page shares.
app-name = میدان
app-description = پنل ستاد انتخاباتی: گفت‌وگو با شهروندان از راه بات تلگرام
skip-to-content = رفتن به متن صفحه
assets-missing = فایل‌های ظاهر صفحه ساخته نشده‌اند. در پوشهٔ web دستور npm ci و سپس node build.mjs را اجرا کنید.
menu = فهرست
demo = نسخهٔ نمایشی
demo-banner = نسخهٔ نمایشی: آدم‌ها و پیام‌های این صفحه ساختگی‌اند.
footer-line = انتخابات، پیش چشم همه
campaign = ستاد
nav-label = بخش‌ها
nav-home = خانه
nav-inbox = صندوق پیام‌ها
nav-team = اعضای ستاد
nav-platform = مدیریت سامانه
nav-campaigns = ستادها
nav-my-campaigns = ستادهای من
nav-account = حساب من
log-out = خروج
theme = رنگ صفحه
theme-auto = مانند دستگاه
theme-light = روشن
theme-dark = تیره
language = زبان
language-fa = فارسی
language-en = انگلیسی
language-ar = عربی
language-az = ترکی آذربایجانی
language-ku = کردی
language-tr = ترکی استانبولی
close = بستن
cancel = انصراف
save = ذخیره
edit = ویرایش
copy = رونوشت
copied = رونوشت برداشته شد.
optional = (اختیاری)
done = انجام شد
status = وضعیت
name = نام
email = نشانی ایمیل
toast-failed = انجام نشد. دوباره بکوشید.
toast-offline = ارتباط با میدان برقرار نیست. اینترنت خود را بررسی کنید.

notice-campaign-created = ستاد ساخته شد.
notice-saved = ذخیره شد.
notice-bot-connecting = توکن دریافت شد و بات در حال اتصال است.
notice-bot-disconnected = اتصال بات برداشته شد.
notice-reply-queued = پاسخ در صف ارسال است.
notice-status-changed = وضعیت گفت‌وگو تغییر کرد.
notice-member-invited = دعوت‌نامه ساخته شد.
notice-password-changed = گذرواژه تغییر کرد و نشست‌های دیگر بسته شدند.
notice-logged-out = از حساب خود خارج شدید.
notice-session-ended = نشست شما پایان یافته است. دوباره وارد شوید.

ago-now = هم‌اکنون
ago-minutes = { $count } دقیقه پیش
ago-hours = { $count } ساعت پیش
ago-yesterday = دیروز
ago-days = { $count } روز پیش
moment = { $date }، ساعت { $clock }
day-today = امروز
day-yesterday = دیروز
size-kb = { $number } کیلوبایت
size-mb = { $number } مگابایت
unit-minutes = دقیقه

keyboard-help = میان‌بُرهای صفحه‌کلید
keyboard-on = میان‌بُرهای تک‌کلیدی روشن باشند
keyboard-on-text = فقط در همین مرورگر. علامت ? فهرست کلیدها را نشان می‌دهد.
keyboard-off-hint = این میان‌بُرها را می‌توانید در صفحهٔ «حساب من» خاموش کنید.
key-move = گفت‌وگوی بعدی، گفت‌وگوی قبلی
key-open = باز کردن گفت‌وگو
key-reply = نوشتن پاسخ
key-send = ارسال پاسخ
key-filter = رفتن به صافی‌ها
key-leave = بیرون آمدن از کادر
key-help = همین راهنما

live-on = زنده
live-off = متوقف
live-lost = در حال اتصال دوباره
live-pause = توقف به‌روزرسانی زنده
live-resume = ادامهٔ به‌روزرسانی زنده
live-one = یک پیام تازه
live-many = {"{n}"} پیام تازه
live-held = {"{n}"} تغییر تازه در انتظار است

problem-required = این کادر را پر کنید.
problem-too-long = حداکثر { $count } نویسه جا می‌شود.
problem-too-short = دست‌کم { $count } نویسه لازم است.
problem-invalid-email = این نشانی ایمیل درست نیست. نمونهٔ درست: name@example.com
problem-passwords-differ = دو گذرواژه یکی نیستند.
problem-guessable-password = این گذرواژه به‌سادگی حدس زده می‌شود. چند واژهٔ نامربوط را کنار هم بگذارید.
problem-wrong-password = گذرواژهٔ کنونی درست نیست.
problem-invalid-slug = ۳ تا ۴۰ حرف کوچک لاتین، رقم و خط تیره؛ مانند tehran-ahmadi
problem-slug-taken = ستاد دیگری این نشانی را دارد. نشانی دیگری بنویسید.
problem-already-member = این شخص هم‌اکنون عضو ستاد است.
problem-invalid-token = این متن مانند توکن BotFather نیست. توکن عدد، دونقطه و ۳۵ نویسه دارد.
problem-unknown-choice = یکی از گزینه‌ها را انتخاب کنید.
problem-refused = پذیرفته نشد. نوشته را بررسی کنید.
form-problems =
    { $count ->
        [one] یک مورد باید اصلاح شود.
       *[other] { $count } مورد باید اصلاح شود.
    }

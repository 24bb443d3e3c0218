# The candidate's home.
home-hello = سلام، { $name }
setup-title = راه‌اندازی ستاد
setup-done = { $count } گام از ۴ گام انجام شده
setup-bot = اتصال بات تلگرام
setup-bot-text = مدیر سامانه توکن بات را ثبت می‌کند.
setup-message = نخستین پیام
setup-message-text = از تلفن خودتان به بات { $bot } پیام بدهید.
setup-message-later = پس از اتصال بات، از تلفن خودتان به آن پیام بدهید.
setup-team = دعوت همکاران
setup-team-text = پاسخ‌گویی با چند نفر سریع‌تر است.
setup-answer = نخستین پاسخ
setup-answer-text = گفت‌وگویی را باز کنید و پاسخ بدهید.
needs-title = اکنون به شما نیاز دارد
needs-unanswered =
    { $count ->
        [one] گفت‌وگو بی‌پاسخ مانده
       *[other] گفت‌وگو بی‌پاسخ مانده
    }
needs-oldest = قدیمی‌ترین آن‌ها { $ago } رسیده است
needs-undelivered =
    { $count ->
        [one] گفت‌وگو پاسخ نرسیده دارد
       *[other] گفت‌وگو پاسخ نرسیده دارد
    }
needs-undelivered-text = دلیل هر کدام در خود گفت‌وگو نوشته شده است
needs-nothing = همهٔ گفت‌وگوها پاسخ گرفته‌اند.
needs-nothing-yet = هنوز چیزی در انتظار شما نیست.
figures-title = آمار
kpi-new-tickets = گفت‌وگوهای تازه (۷ روز)
kpi-unanswered = بی‌پاسخ
kpi-first-response = میانهٔ زمان نخستین پاسخ
kpi-citizens = شهروندان
kpi-oldest = قدیمی‌ترین: { $ago }
kpi-none-waiting = کسی در انتظار نیست
kpi-no-comparison = هنوز چیزی برای مقایسه نیست
kpi-none-new = این هفته کسی تازه نیامد
trend-more = { $count } بیشتر از ۷ روز پیش از آن
trend-fewer = { $count } کمتر از ۷ روز پیش از آن
trend-slower = { $count } دقیقه کندتر از هفتهٔ پیش
trend-faster = { $count } دقیقه تندتر از هفتهٔ پیش
trend-same = برابر با هفتهٔ پیش
trend-new-this-week = { $count } نفر تازه در ۷ روز
spark-description = روند { $days } روز: بیشترین { $high } در { $high_day }، آخرین { $last }
last-tickets = تازه‌ترین گفت‌وگوها
all-tickets = همهٔ گفت‌وگوها

# A campaign that does not run.
stopped-draft-title = ستاد در دست آماده‌سازی است
stopped-draft-text = مدیران میدان هنوز آن را آماده می‌کنند. همین که آغازش کنند، این‌جا باز می‌شود.
stopped-suspended-title = ستاد فعلاً متوقف است
stopped-suspended-text = مدیران میدان آن را متوقف کرده‌اند. هیچ داده‌ای پاک نشده است. بات ستاد به شهروندان می‌گوید که فعلاً پیام نمی‌گیرد و کلیدهای برنامه‌ها کار نمی‌کنند. با از سر گرفتن کار، همه چیز همان است که بود.
stopped-archived-title = کار ستاد پایان یافته است
stopped-archived-text = ستاد بایگانی شده است. بات آن به شهروندان می‌گوید که ستاد به کار خود پایان داده است و کلیدهای برنامه‌ها کار نمی‌کنند. هیچ داده‌ای پاک نشده است.
stopped-everybody = این برای همهٔ اعضای ستاد یکسان است. اگر گمان می‌کنید اشتباهی رخ داده است، به مدیران میدان بنویسید.
stopped-deletion = این ستاد حذف می‌شود، در روز
stopped-deletion-text = از آن پس هیچ‌کس پیام‌ها و داده‌های آن را نمی‌تواند بخواند. تا آن روز مدیران میدان می‌توانند از حذف چشم بپوشند.

number = شماره
citizen = شهروند
subject = موضوع
last-message = آخرین پیام

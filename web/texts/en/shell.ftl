# What every page shares.
app-name = Meydan
app-description = The campaign panel: conversations with citizens through a Telegram bot
skip-to-content = Skip to content
assets-missing = The page's assets have not been built. In the folder web, run npm ci and then node build.mjs.
menu = Menu
demo = Demonstration
demo-banner = Demonstration: the people and messages here are invented.
footer-line = elections in the open
campaign = Campaign
nav-label = Sections
nav-home = Home
nav-inbox = Inbox
nav-team = Team
nav-platform = Platform
nav-campaigns = Campaigns
nav-my-campaigns = My campaigns
nav-account = My account
log-out = Log out
theme = Colours
theme-auto = As the device
theme-light = Light
theme-dark = Dark
language = Language
language-fa = Persian
language-en = English
language-ar = Arabic
language-az = Azerbaijani
language-ku = Kurdish
language-tr = Turkish
close = Close
cancel = Cancel
save = Save
edit = Edit
copy = Copy
copied = Copied.
optional = (optional)
done = Done
status = Status
name = Name
email = E-mail address
toast-failed = That did not work. Please try again.
toast-refused = That was not accepted. Keep what you wrote, load the page again, and repeat.
toast-offline = Meydan cannot be reached. Check your connection.

notice-campaign-created = The campaign was created.
notice-saved = Saved.
notice-bot-connecting = The token was received and the bot is being connected.
notice-bot-disconnected = The bot was disconnected.
notice-reply-queued = The answer is queued for sending.
notice-status-changed = The status was changed.
notice-member-invited = The invitation was created.
notice-member-left = You left the campaign.
notice-member-removed = The member was removed.
notice-invitation-withdrawn = The invitation was withdrawn.
notice-key-made = This key was made before. If you have lost it, revoke it and make another one.
notice-key-revoked = The key was revoked.
notice-deletion-requested = The campaign will be deleted in 30 days.
notice-deletion-withdrawn = The campaign will not be deleted.
notice-password-changed = The password was changed and your other sessions were ended.
notice-logged-out = You are logged out.
notice-session-ended = Your session has ended. Please log in again.

ago-now = just now
ago-minutes =
    { $count ->
        [one] { $count } minute ago
       *[other] { $count } minutes ago
    }
ago-hours =
    { $count ->
        [one] { $count } hour ago
       *[other] { $count } hours ago
    }
ago-yesterday = yesterday
ago-days =
    { $count ->
        [one] { $count } day ago
       *[other] { $count } days ago
    }
moment = { $date }, { $clock }
day-today = Today
day-yesterday = Yesterday
size-kb = { $number } kB
size-mb = { $number } MB
unit-minutes = min

keyboard-help = Keyboard shortcuts
keyboard-on = Single-key shortcuts are on
keyboard-on-text = In this browser only. The key ? lists them.
keyboard-off-hint = You can switch these off on the page “My account”.
key-move = Next, previous conversation
key-open = Open the conversation
key-reply = Write an answer
key-send = Send the answer
key-filter = Go to the filters
key-leave = Leave the field
key-help = This help

live-on = Live updates
live-off = Paused
live-lost = Reconnecting
live-pause = Pause live updates
live-resume = Resume live updates
live-one = 1 new message
live-many = {"{n}"} new messages
live-held = {"{n}"} changes are waiting

problem-required = Please fill this in.
problem-too-long = At most { $count } characters fit.
problem-too-short = At least { $count } characters are needed.
problem-invalid-email = This is not an e-mail address. A correct one: name@example.com
problem-passwords-differ = The two passwords differ.
problem-guessable-password = This password is easily guessed. Put a few unrelated words together.
problem-common-password = Too many people have this password, so it is tried first. Put a few unrelated words together.
problem-named-password = Names, places and addresses that others know make this password easy to guess. Use words that have nothing to do with you or the campaign.
problem-endless-password = This password is too long. 256 Latin letters fit, or 128 Persian ones.
problem-wrong-password = This is not your present password.
problem-same-password = This is your present password. Choose another one.
problem-invalid-slug = 3 to 40 small Latin letters, digits and hyphens, such as tehran-ahmadi
problem-reserved-slug = The platform needs this address for itself. Choose a different one.
problem-slug-taken = Another campaign has this address. Choose a different one.
problem-already-member = This person is in the team already.
problem-invited-too-often = Enough invitations for a day: five to one address, two hundred in all. Try again tomorrow.
problem-invalid-token = This does not look like a token from BotFather: digits, a colon, and 35 characters.
problem-unknown-choice = Choose one of these.
problem-not-held = You can only give what you hold yourself.
problem-owners-only = Only an owner can do this.
problem-last-owner = A campaign needs at least one owner. Make somebody else an owner first.
problem-factor-first = Add a second step to your own account first; then you can demand it of the others.
problem-oneself = You cannot change your own role and permissions.
problem-wrong-confirmation = This is not the short address of the campaign.
problem-campaign-running = Suspend or archive the campaign first.
problem-refused = This was not accepted. Please check it.
form-problems =
    { $count ->
        [one] One thing needs correcting.
       *[other] { $count } things need correcting.
    }

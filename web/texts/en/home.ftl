# The candidate's home.
home-hello = Hello, { $name }
setup-title = First steps
setup-done = { $count } of 4 steps done
setup-bot = Connect the Telegram bot
setup-bot-text = The platform's admin enters the bot's token.
setup-message = First message
setup-message-text = Write to the bot { $bot } from your own phone.
setup-message-later = Once the bot is connected, write to it from your own phone.
setup-team = Invite colleagues
setup-team-text = Several people answer faster.
setup-answer = First answer
setup-answer-text = Open a conversation and answer it.
needs-title = Needs you now
needs-unanswered =
    { $count ->
        [one] conversation is unanswered
       *[other] conversations are unanswered
    }
needs-oldest = The oldest one came { $ago }
needs-undelivered =
    { $count ->
        [one] conversation has an answer that did not arrive
       *[other] conversations have answers that did not arrive
    }
needs-undelivered-text = Each conversation says why
needs-nothing = Every conversation has an answer.
needs-nothing-yet = Nothing is waiting for you yet.
figures-title = Figures
kpi-new-tickets = New conversations (7 days)
kpi-unanswered = Unanswered
kpi-first-response = Median first response
kpi-citizens = Citizens
kpi-oldest = Oldest: { $ago }
kpi-none-waiting = Nobody is waiting
kpi-no-comparison = Nothing to compare with yet
kpi-none-new = Nobody new this week
trend-more = { $count } more than the 7 days before
trend-fewer = { $count } fewer than the 7 days before
trend-slower = { $count } min slower than last week
trend-faster = { $count } min faster than last week
trend-same = the same as last week
trend-new-this-week = { $count } new in 7 days
spark-description = Over { $days } days: highest { $high } on { $high_day }, latest { $last }
last-tickets = Latest conversations
all-tickets = All conversations

# A campaign that does not run.
stopped-draft-title = The campaign is being prepared
stopped-draft-text = Meydan's admins are still setting it up. It opens by itself as soon as they start it.
stopped-suspended-title = The campaign is stopped for now
stopped-suspended-text = Meydan's admins have stopped it. No data was deleted. Its bot tells citizens that it takes no messages for now, and the campaign's API keys do not work. Once the campaign resumes, everything is as it was.
stopped-archived-title = The campaign has ended
stopped-archived-text = It is archived. Its bot tells citizens that it has closed, and the campaign's API keys do not work. No data was deleted.
stopped-everybody = This holds for everybody in the team. If you think that it is a mistake, write to Meydan's admins.
stopped-deletion = This campaign will be deleted on
stopped-deletion-text = From then on nobody can read its messages and data again. Until then Meydan's admins can withdraw the deletion.

number = No.
citizen = Citizen
subject = Subject
last-message = Last message

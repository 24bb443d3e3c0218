# Letters: mail and SMS.
brand = Meydan
link-hint = If the button does not work, open this address in your browser:
footer = This letter was sent by a program; please do not answer it. Meydan never asks for your password or a code.
kept = { $kept ->
    [none] Nothing but the password opens your account.
   *[some] What else opens your account was not changed: { $passkeys ->
        [0] no passkey
        [one] one passkey
       *[other] { $passkeys } passkeys
    }, { $authenticators ->
        [0] no authenticator app
        [one] one authenticator app
       *[other] { $authenticators } authenticator apps
    } and { $codes ->
        [0] no recovery codes
        [one] one recovery code
       *[other] { $codes } recovery codes
    }. If you do not recognise one of them, log in and remove it under "Two-step login".
}
invitation-subject = Invitation to the campaign of { $candidate }
invitation-text = The campaign of { $candidate } invites you to work with it on Meydan. Open the link below to accept.
invitation-action = See and accept the invitation
invitation-after = The link works for 72 hours, and once. If you did not expect it there is nothing to do: you are no member until you accept.
admin-invitation-subject = Invitation to administer Meydan
admin-invitation-text = An admin of Meydan asks you to become an admin of this platform. Open the link below to see the invitation and accept it.
admin-invitation-action = See and accept the invitation
admin-invitation-after = The link works for 72 hours, and once. If you did not expect it there is nothing to do: you are no admin until you accept.
email-proof-subject = Your code to confirm this address
email-proof-text = To confirm this address, enter the code below on your account page, or open the link in a browser where you are logged in.
email-proof-action = Confirm the address
email-proof-after = Code and link are good for 15 minutes. If you did not ask for them, ignore this letter and tell nobody the code.
phone-proof-text = Your code to confirm this number on Meydan: { $code }
    It is good for 5 minutes. Tell nobody.
recovery-subject = A new password for Meydan
recovery-text = Somebody, perhaps you, asked for a new password for this address. Open the link below to choose it.{ $factors ->
        [removed] {" "}This address was never confirmed: the new password also removes the authenticators, passkeys and recovery codes of the account.
       *[kept] {""}
    }
recovery-action = Choose a new password
recovery-after = The link works for an hour, and once; within that hour no newer one is sent. If you did not ask for it there is nothing to do: your password is what it was.
password-changed-subject = Your password was changed
password-changed-text = The password of your Meydan account was changed, and all other devices were logged out.
password-changed-after = If that was not you, ask for a new password on the login page at once, and tell the owner of your campaign.
recovered-subject = Your new password is set
recovered-text = A new password was set for your account with the link that we sent to this address, and all devices were logged out.
recovered-after = If that was not you, somebody can read your mail: change the password of your mailbox first, then ask for a new one on the login page.
recovered-without-factors-subject = Your new password is set
recovered-without-factors-text = A new password was set for your account with the link that we sent to this address, and all devices were logged out. The address had never been confirmed before; it is now. Therefore all authenticators, passkeys and recovery codes that the account had were removed.
recovered-without-factors-after = Log in with the new password, and add a second step of your own under "Two-step login". If that was not you, somebody can read your mail: change the password of your mailbox first, then ask for a new one on the login page.
email-changed-subject = The address of your account was changed
email-changed-text = From now on another address logs in to your Meydan account, and this one no longer belongs to it.
email-changed-after = If that was not you, tell the owner of your campaign or Meydan's support now.
phone-changed-subject = The telephone number of your account was changed
phone-changed-text = The telephone number that was on record for your Meydan account was changed.
phone-changed-after = If that was not you, change your password and tell the owner of your campaign.
phone-removed-subject = The telephone number of your account was removed
phone-removed-text = The telephone number that was on record for your Meydan account was removed.
phone-removed-after = If that was not you, change your password and tell the owner of your campaign.
new-device-subject = Login from a new device
new-device-text = Somebody logged in to your Meydan account from a device that was not seen before.
new-device-after = If that was you, there is nothing to do. If not, change your password: that logs the device out.
locked-subject = Logging in to your account is closed for a while
locked-text = From one network, wrong passwords or codes were tried for your account several times; logging in from there is closed for a while.
locked-after = If that was you, wait a little or ask for a new password on the login page. If not, there is nothing to do: nobody came in.
codes-guessed-subject = Somebody knows your password
codes-guessed-text = Somebody gave the right password of your Meydan account, and then wrong codes in the second step, until that login was ended. Nobody came in.
codes-guessed-after = If that was you, there is nothing to do. If not, change your password now: only the second step keeps them out.
factor-locked-subject = Codes of your authenticator app are closed
factor-locked-text = Somebody who knows the password of your Meydan account, or is logged in to it, tried twenty wrong codes within a day. Codes of the authenticator app are closed now; browsers from which you have logged in may still log in with them.
factor-locked-after = Ask for a new password on the login page: that opens them again. Recovery codes and passkeys work as before.
recovery-code-used-subject = A recovery code of yours was used
recovery-code-used-text = One of the recovery codes of your Meydan account was used. { $left ->
        [one] One is left.
       *[other] { $left } are left.
    }
recovery-code-used-after = If that was not you, log in, make new recovery codes under "Two-step login", and change your password.
last-recovery-code-used-subject = Your last recovery code was used
last-recovery-code-used-text = The last recovery code of your Meydan account was used. Until there are new ones, the account opens nothing.
last-recovery-code-used-after = If that was you, make new codes under "Two-step login" and keep them safe. If not, ask for a new password on the login page now.
factor-added-subject = A second step was added to your account
factor-added-text = An authenticator app or a passkey was added to your Meydan account. Whoever holds a passkey can log in with it alone.
factor-added-after = If that was you, there is nothing to do. If not, log in, remove it under "Two-step login", and change your password.
factor-removed-subject = A second step was removed from your account
factor-removed-text = An authenticator app or a passkey was removed from your Meydan account.
factor-removed-after = If that was not you, log in, look at the devices and the history of your account, and change your password.
passkey-doubted-subject = One of your passkeys may have been copied
passkey-doubted-text = Somebody used a passkey of your Meydan account whose count was behind that of yours. It was refused: nobody came in.
passkey-doubted-after = There may be a copy of it. Log in, look at the history of your account, remove that passkey and add a new one.
suspended-subject = Your account was closed
suspended-text = An admin of Meydan has closed your account. All your devices were logged out, and you cannot log in until the account is opened again. Nothing of it was deleted.
suspended-after = If you do not know why, ask the owner of your campaign or Meydan's admins. We write to you when it is open again.
reactivated-subject = Your account is open again
reactivated-text = An admin of Meydan has opened your account again. You log in as before, with the same password and the same second step.
reactivated-after = There is nothing to do.
impersonation-subject = An admin of Meydan is looking at your campaign as you
impersonation-text = An admin of Meydan is looking at the campaign of { $candidate } as you see it, for fifteen minutes at most. The reason they gave: { $reason }
impersonation-after = They can read what you can read there, and change nothing; your password and your account page stay closed to them. It is on record in your account's history and in the campaign's.
new-device-at-subject = Login from a new device
new-device-at-text = Somebody logged in to your Meydan account from a device that was not seen before. As far as its network address tells, it is here: { $place }
new-device-at-after = If that was you, there is nothing to do; the place may be that of your provider or of a VPN. If not, change your password: that logs the device out.
deletion-requested-subject = The campaign of { $candidate } will be deleted
deletion-requested-text = Meydan's admins have asked for the deletion of the campaign of { $candidate }, in whose team you are. In { $days } days its keys are destroyed, and nobody can read its messages and data again.
deletion-requested-action = See the day
deletion-requested-after = Until then the deletion can be withdrawn. If it should not happen, write to Meydan's admins at once. Your account stays as it is.
deletion-withdrawn-subject = The campaign of { $candidate } will not be deleted
deletion-withdrawn-text = Meydan's admins have withdrawn the deletion of the campaign of { $candidate }, in whose team you are. Nothing of it was lost.
deletion-withdrawn-action = Open the campaign
deletion-withdrawn-after = There is nothing to do.

# The team and one's own account.
team-lead = The people who read citizens' messages and answer them.
role = Role
joined = Joined
role-owner = Owner
role-owner-text = Everything, inviting included
role-staff = Staff
role-staff-text = Reading and answering messages
member-invited = Invited
member-link-title = Invitation link for the new member
member-link-text = This link is shown this once only. Pass it on by a safe way: the person joins when they open and accept it.
invite-title = Invite a member
invite-submit = Create the invitation link
change-password = Change password
change-password-text = Afterwards you are logged out on your other devices.
display = Language and colours
display-text = For this browser.
log-out-text = Finish on this device

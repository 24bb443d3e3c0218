# One's own account.
change-password = Change password
change-password-text = Afterwards you are logged out on your other devices.
display = Language and colours
display-text = For this browser.
log-out-text = Finish on this device

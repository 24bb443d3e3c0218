# One's own account.
change-password = Change password
change-password-text = Afterwards you are logged out on your other devices.
preferences-title = Language and time zone
preferences-text = Of your account: letters are written in this language, and times are told in this time zone.
language-of-campaign = Not chosen: as the campaign
time-zone = Time zone
zone-utc = Coordinated Universal Time
zone-near = Near at hand
zone-asia = Asia
zone-europe = Europe
zone-america = America
zone-africa = Africa
zone-oceania = Australia and the Pacific
zone-islands = Islands of other oceans, Antarctica
display = Language and colours
display-text = For this browser alone.
log-out-text = Finish on this device

"""Starts lo-bot-api-emulator and ends it when standard input ends.

Takes the emulator's own arguments. The watch on standard input ends it also
when the process that started it was killed and could not clean up.
"""

import os
import sys
import threading

from lo_bot_api_emulator import main


def end_with_standard_input():
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    main()

// The panel's script. Pages read and answer without it; it adds live updates, the keyboard,
// fresh relative times and small comforts. No eval, no inline handlers.
import './htmx.js';
import 'htmx.org/dist/ext/hx-sse.js';
import { startComforts } from './comforts.js';
import { startKeyboard } from './keyboard.js';
import { startLive } from './live.js';
import { startPasskeys } from './passkeys.js';
import { startTimes } from './times.js';

startTimes();
startLive();
startKeyboard();
startComforts();
startPasskeys();

// Keeps "5 minutes ago" true while a page is open. Older times stay as the server wrote them.
const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: 'always' });

// How far this device's clock is ahead of the server's; small differences count as none.
function clockError() {
  const rendered = Date.parse(document.documentElement.dataset.now ?? '');
  const ahead = performance.timeOrigin - rendered;
  return Math.abs(ahead) > 60_000 ? ahead : 0;
}

export function startTimes() {
  const ahead = clockError();
  const refresh = () => {
    for (const time of document.querySelectorAll('time[data-ago]')) {
      const seconds = Math.floor((Date.now() - ahead - Date.parse(time.dateTime)) / 1000);
      if (!(seconds >= 60 && seconds < 86_400)) continue;
      const text = seconds < 3600
        ? relative.format(-Math.floor(seconds / 60), 'minute')
        : relative.format(-Math.floor(seconds / 3600), 'hour');
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(refresh, 15_000);
  document.addEventListener('visibilitychange', () => document.hidden || refresh());
}

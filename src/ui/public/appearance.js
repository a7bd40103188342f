// Runs before the first paint, so that a chosen theme never flashes the other one; see appearance.ts.
{
  let theme = null;
  try {
    theme = localStorage.getItem('throughway.theme');
  } catch {
    // Storage is forbidden: the system's theme it is.
  }
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
}

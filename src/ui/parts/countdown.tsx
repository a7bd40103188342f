// placeholder
export function Countdown() {
  return null;
}

// A table that may be wider than the screen scrolls in its own room, and then takes the focus, so that the
// arrow keys scroll it. Where everything is in sight there is no such stop.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export function Scroll({ children }: { children: ComponentChildren }) {
  const room = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = room.current!;
    const look = (): void => {
      if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
      else element.removeAttribute('tabindex');
    };
    const resized = new ResizeObserver(look);
    resized.observe(element);
    for (const child of element.children) resized.observe(child);
    return () => resized.disconnect();
  }, []);
  return (
    <div class="table-scroll" ref={room}>
      {children}
    </div>
  );
}

// placeholder
import { Frame } from './frame.tsx';
export function App() {
  return <Frame />;
}

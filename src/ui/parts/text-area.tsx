// A field of many lines, for PEM and YAML.
import { useId } from 'preact/hooks';

interface TextAreaProps {
  readonly label: string;
  readonly hint?: string;
  readonly fault?: string | undefined;
  readonly rows?: number;
  readonly value: string;
  readonly onValue: (value: string) => void;
}

export function TextArea({ label, hint, fault, rows = 5, value, onValue }: TextAreaProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea
        id={id}
        class="mono"
        rows={rows}
        spellcheck={false}
        autocomplete="off"
        value={value}
        placeholder={hint}
        aria-invalid={fault ? 'true' : undefined}
        aria-describedby={fault && `${id}-fault`}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
      {fault && (
        <span class="fault" id={`${id}-fault`}>
          {fault}
        </span>
      )}
    </div>
  );
}

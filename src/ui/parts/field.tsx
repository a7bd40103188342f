// A labelled field with its hint and its fault, joined for a screen reader.
import type { JSX } from 'preact';
import { useId } from 'preact/hooks';

interface FieldProps extends Omit<JSX.InputHTMLAttributes<HTMLInputElement>, 'onInput' | 'value'> {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly fault?: string | undefined;
  readonly value: string;
  readonly onValue: (value: string) => void;
}

export function Field({ label, hint, fault, value, onValue, ...input }: FieldProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(' ');
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        {...input}
        id={id}
        value={value}
        aria-invalid={fault ? 'true' : undefined}
        aria-describedby={described || undefined}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
      {hint && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {fault && (
        <span class="fault" id={`${id}-fault`}>
          {fault}
        </span>
      )}
    </div>
  );
}

interface ChoiceProps<T extends string> {
  readonly legend: string;
  readonly hidesLegend?: boolean;
  readonly name: string;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly label: string; readonly hint?: string }[];
  readonly onValue: (value: T) => void;
}

/** Radio buttons, one of which is chosen. */
export function Choice<T extends string>(props: ChoiceProps<T>) {
  const { legend, hidesLegend, name, value, options, onValue } = props;
  return (
    <fieldset class="field">
      <legend class={hidesLegend ? 'hidden-text' : 'label'}>{legend}</legend>
      <div class={options.some(({ hint }) => hint) ? 'stack' : 'choices'}>
        {options.map((option) => (
          <label key={option.value} class={`choice ${option.hint ? 'top' : ''}`}>
            <input
              type="radio"
              name={name}
              value={option.value}
              checked={option.value === value}
              onChange={() => onValue(option.value)}
            />
            <span>
              {option.label}
              {option.hint && <small>{option.hint}</small>}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

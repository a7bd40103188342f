// A native modal dialog: the browser keeps the focus inside, and Escape closes it.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../text/text.ts';
import { FailureNotice } from './notice.tsx';

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} aria-label={title} onClose={onClose}>
      <div class="inner">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  readonly title: string;
  readonly yes: string;
  readonly danger?: boolean;
  readonly onYes: () => Promise<unknown> | void;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** Asks, does it, and closes; stays open with the reason when it fails. */
export function Confirm({ title, yes, danger, onYes, onClose, children }: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const go = async (): Promise<void> => {
    setBusy(true);
    try {
      await onYes();
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="stack">{children}</div>
      <FailureNotice error={error} />
      <div class="actions">
        <button type="button" class="button" onClick={onClose}>
          {t('action.cancel')}
        </button>
        <button
          type="button"
          class={`button ${danger ? 'danger' : 'primary'}`}
          disabled={busy}
          onClick={() => void go()}
        >
          {yes}
        </button>
      </div>
    </Dialog>
  );
}

// Native modal dialogs, which keep the focus inside and close with Escape: one to fill in, one that asks.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../text/text.ts';
import { focusFault, useRequest, type Request } from './form.ts';
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

interface DialogFormProps {
  readonly request: Request;
  /** The fields whose faults stand beside them. */
  readonly shown: readonly string[];
  readonly yes: string;
  readonly danger?: boolean;
  /** Absent: it can be sent. */
  readonly isReady?: boolean;
  readonly onYes: () => Promise<unknown>;
  readonly onClose: () => void;
  /** What follows when it is done; absent: the dialog closes. */
  readonly onDone?: () => void;
  readonly children: ComponentChildren;
}

/** What a dialog asks to be filled in, with its reasons and its two buttons. */
export function DialogForm(props: DialogFormProps) {
  const { request, shown, yes, danger, isReady = true, onYes, onClose, onDone = onClose, children } = props;
  const form = useRef<HTMLFormElement>(null);
  const send = async (): Promise<void> => {
    if (await request.send(onYes)) onDone();
    else focusFault(form.current);
  };
  return (
    <form
      ref={form}
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <FailureNotice error={request.error} shown={shown} />
      {children}
      <div class="actions">
        <button type="button" class="button" onClick={onClose}>
          {t('action.cancel')}
        </button>
        <button
          type="submit"
          class={`button ${danger ? 'danger' : 'primary'}`}
          disabled={request.isBusy || !isReady}
        >
          {yes}
        </button>
      </div>
    </form>
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
  const request = useRequest();
  return (
    <Dialog title={title} onClose={onClose}>
      <DialogForm
        request={request}
        shown={[]}
        yes={yes}
        danger={danger === true}
        onYes={async () => onYes()}
        onClose={onClose}
      >
        <div class="stack">{children}</div>
      </DialogForm>
    </Dialog>
  );
}

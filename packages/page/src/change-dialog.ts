/** Confirms a change: shows its effect, and asks for the new weight and for a missing token. */

import type { System } from '@causeway/protocol/admin/model.ts';
import { type ComponentChild, h } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, type Change, sendChange } from './api-client.ts';
import { plural } from './format.ts';
import type { Store } from './store.ts';

export type DialogRequest = Change | { kind: 'token' };

interface DialogProps {
  request: DialogRequest;
  system: System | null;
  store: Store;
  /** Called with a sentence on the change, or with nothing when the operator cancelled. */
  onClose: (done?: string) => void;
}

const TITLES = { drain: 'Drain', undrain: 'Undrain', weight: 'Change the weight of' } as const;

export function ChangeDialog({ request, system, store, onClose }: DialogProps): ComponentChild {
  const dialog = useRef<HTMLDialogElement>(null);
  const [refusal, setRefusal] = useState('');
  const [isSending, setIsSending] = useState(false);
  const { token } = store.state;
  const [asksToken, setAsksToken] = useState(request.kind === 'token' || token === null);
  const done = useRef<string>(undefined);
  useEffect(() => dialog.current?.showModal(), []);
  /** `close()` of the browser returns the focus to the element that had it. */
  const close = (text?: string): void => {
    done.current = text;
    dialog.current?.close();
  };

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    if (asksToken) store.setToken(String(form.get('token') ?? '').trim());
    if (request.kind === 'token') return close();
    const change = request.kind === 'weight' ? { ...request, weight: Number(form.get('weight')) } : request;
    setIsSending(true);
    setRefusal('');
    try {
      await sendChange(change, store.state.token);
      close(doneText(change, system));
    } catch (error) {
      setRefusal(error instanceof ApiError ? refusalText(error) : String(error));
      if (error instanceof ApiError && error.isTokenRefused) {
        store.setToken('');
        setAsksToken(true);
      }
    } finally {
      setIsSending(false);
    }
  };

  return h(
    'dialog',
    { ref: dialog, class: 'dialog', 'aria-labelledby': 'dialog-title', onClose: () => onClose(done.current) },
    h(
      'form',
      { onSubmit: submit },
      h(
        'h2',
        { id: 'dialog-title' },
        request.kind === 'token' ? 'Admin token' : `${TITLES[request.kind]} ${request.region}`,
      ),
      explanation(request, system),
      request.kind === 'weight' ? weightField(request.weight) : null,
      asksToken ? tokenField(refusal !== '') : null,
      h('p', { class: 'refusal', role: 'alert' }, refusal),
      h(
        'div',
        { class: 'dialog-actions' },
        h('button', { type: 'button', onClick: () => close() }, 'Cancel'),
        request.kind === 'token' && token !== null
          ? h(
              'button',
              {
                type: 'button',
                onClick: () => {
                  store.setToken('');
                  close();
                },
              },
              'Forget it',
            )
          : null,
        h('button', { type: 'submit', class: 'primary', disabled: isSending }, submitText(request)),
      ),
    ),
  );
}

function submitText(request: DialogRequest): string {
  if (request.kind === 'token') return 'Keep in this tab';
  return request.kind === 'weight' ? 'Set weight' : `${TITLES[request.kind]} ${request.region}`;
}

function explanation(request: DialogRequest, system: System | null): ComponentChild {
  if (request.kind === 'token') {
    return h(
      'p',
      null,
      'Required for changes, and for reading where the gateway says so. This tab keeps it until you close the tab.',
    );
  }
  const file = system?.config.file ?? 'the configuration file';
  const region = system?.regions.find(({ name }) => name === request.region);
  const consumers = plural(region?.consumerCount ?? 0, 'consumer');
  const others = system?.regions.filter(({ name }) => name !== request.region).map(({ name }) => name) ?? [];
  const elsewhere = others.length === 0 ? 'no region: it is the only one' : others.join(', ');
  const what = {
    drain: `New work goes to ${elsewhere}. The ${consumers} of ${request.region} move there at their next poll, after their last commit.`,
    undrain: `${request.region} takes new work again, by its weight of ${region?.configuredWeight ?? 0}.`,
    weight:
      'The share of new work among the regions of the same priority. With 0 its consumers move away at their next poll.',
  }[request.kind];
  return h('p', null, what, ' ', h('strong', null, `The next reload restores the values in ${file}.`));
}

function weightField(weight: number): ComponentChild {
  return h(
    'label',
    { class: 'field' },
    h('span', null, 'Weight, 0 to 1000'),
    h('input', {
      name: 'weight',
      type: 'number',
      min: 0,
      max: 1000,
      step: 1,
      required: true,
      defaultValue: String(weight),
      inputMode: 'numeric',
    }),
  );
}

function tokenField(isRefused: boolean): ComponentChild {
  return h(
    'label',
    { class: 'field' },
    h('span', null, 'Admin token'),
    h('input', {
      name: 'token',
      type: 'password',
      required: true,
      autoComplete: 'off',
      spellcheck: false,
      'aria-invalid': isRefused ? 'true' : 'false',
    }),
  );
}

function refusalText(error: ApiError): string {
  return error.isTokenRefused ? `The gateway refused this token. ${error.message}` : error.message;
}

function doneText(change: Change, system: System | null): string {
  const file = system?.config.file ?? 'the configuration file';
  const done = {
    drain: `${change.region} is drained.`,
    undrain: `${change.region} takes new work again.`,
    weight: change.kind === 'weight' ? `The weight of ${change.region} is ${change.weight}.` : '',
  }[change.kind];
  return `${done} The next reload restores the values in ${file}.`;
}

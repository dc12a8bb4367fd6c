/** Confirms a change: shows its effect, and asks for the new weight and for a missing token. */

import type { System } from '@causeway/protocol/admin/model.ts';
import { type ComponentChild, h } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, type RegionChange, sendClusterChange, sendRegionChange } from './api-client.ts';
import type { ChangeText } from './change-text.ts';
import { doneWithCluster, FORCE_LABELS, textOfClusterChange } from './cluster-change-text.ts';
import { doneWithRegion, textOfRegionChange } from './region-change-text.ts';
import type { Store } from './store.ts';

export type DialogRequest =
  | RegionChange
  | { kind: 'promote'; cluster: string }
  | { kind: 'rejoin'; cluster: string }
  | { kind: 'token' };

interface DialogProps {
  request: DialogRequest;
  system: System | null;
  store: Store;
  /** Called with a sentence on the change, or with nothing when the operator cancelled. */
  onClose: (done?: string) => void;
}

export function ChangeDialog({ request, system, store, onClose }: DialogProps): ComponentChild {
  const dialog = useRef<HTMLDialogElement>(null);
  const [refusal, setRefusal] = useState('');
  const [isSending, setIsSending] = useState(false);
  const { token } = store.state;
  const [asksToken, setAsksToken] = useState(request.kind === 'token' || token === null);
  /** What was refused may be repeated, whatever it loses. */
  const [asksForce, setAsksForce] = useState(false);
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
    setIsSending(true);
    setRefusal('');
    try {
      close(await send(request, { form, token: store.state.token, system }));
    } catch (error) {
      setRefusal(error instanceof ApiError ? refusalText(error) : String(error));
      if (error instanceof ApiError && error.isTokenRefused) {
        store.setToken('');
        setAsksToken(true);
      }
      if (error instanceof ApiError && error.status === 409) setAsksForce(isClusterRequest(request));
    } finally {
      setIsSending(false);
    }
  };

  const text = textOf(request, system);
  return h(
    'dialog',
    { ref: dialog, class: 'dialog', 'aria-labelledby': 'dialog-title', onClose: () => onClose(done.current) },
    h(
      'form',
      { onSubmit: submit },
      h('h2', { id: 'dialog-title' }, text.title),
      h('p', null, text.effect, ' ', text.warning === '' ? null : h('strong', null, text.warning)),
      request.kind === 'weight' ? weightField(request.weight) : null,
      asksToken ? tokenField(refusal !== '' && !asksForce) : null,
      h('p', { class: 'refusal', role: 'alert' }, refusal),
      asksForce && isClusterRequest(request) ? forceField(FORCE_LABELS[request.kind]) : null,
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
        h('button', { type: 'submit', class: 'primary', disabled: isSending }, isSending ? 'Waiting…' : text.submit),
      ),
    ),
  );
}

function textOf(request: DialogRequest, system: System | null): ChangeText {
  switch (request.kind) {
    case 'token': {
      const effect =
        'Required for changes, and for reading where the gateway says so. This tab keeps it until you close the tab.';
      return { title: 'Admin token', submit: 'Keep in this tab', effect, warning: '' };
    }
    case 'promote':
    case 'rejoin':
      return textOfClusterChange(request, system);
    default:
      return textOfRegionChange(request, system);
  }
}

/** Sends the change that the form describes. Returns a sentence on what was done. Errors: {@link ApiError}. */
async function send(
  request: Exclude<DialogRequest, { kind: 'token' }>,
  { form, token, system }: { form: FormData; token: string | null; system: System | null },
): Promise<string> {
  if (isClusterRequest(request)) {
    const { kind, cluster } = request;
    const isForced = form.get('force') === 'on';
    const change = kind === 'promote' ? { kind, cluster, force: isForced } : { kind, cluster, isPeerGone: isForced };
    return doneWithCluster(change, await sendClusterChange(change, token));
  }
  const change = request.kind === 'weight' ? { ...request, weight: Number(form.get('weight')) } : request;
  await sendRegionChange(change, token);
  return doneWithRegion(change, system);
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

function forceField(label: string): ComponentChild {
  return h('label', { class: 'check' }, h('input', { name: 'force', type: 'checkbox' }), h('span', null, label));
}

function isClusterRequest(request: DialogRequest): request is Extract<DialogRequest, { cluster: string }> {
  return request.kind === 'promote' || request.kind === 'rejoin';
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

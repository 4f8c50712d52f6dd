// The few messages of the MCP Apps extension (2026-01-26) that a viewer needs, as JSON-RPC over postMessage.
// The extension's own library does more than that and weighs 540 kB with what it needs; this page weighs a hundredth.

const VERSION = '2026-01-26';
let last = 0;
const waiting = new Map();

const post = (message) => window.parent.postMessage({ jsonrpc: '2.0', ...message }, '*');

/** Asks the host; rejects with what it answers instead of a result. */
export function ask(method, params) {
  return new Promise((resolve, reject) => {
    last += 1;
    waiting.set(last, { resolve, reject });
    post({ id: last, method, params });
  });
}

export const tell = (method, params) => post({ method, params });

/** Begins: `on` maps the host's notifications to what is done about them. */
export async function connect(on) {
  window.addEventListener('message', ({ source, data }) => {
    // Anyone may post to a frame; only the page that shows this one is the host.
    if (source !== window.parent || data?.jsonrpc !== '2.0') return;
    if (data.method === undefined) {
      const { resolve, reject } = waiting.get(data.id) ?? {};
      waiting.delete(data.id);
      if (data.error) reject?.(new Error(data.error.message));
      else resolve?.(data.result);
    } else if (data.id === undefined) {
      on[data.method]?.(data.params ?? {});
    } else if (data.method === 'ping' || data.method === 'ui/resource-teardown') {
      post({ id: data.id, result: {} });
    } else {
      post({ id: data.id, error: { code: -32601, message: 'Method not found' } });
    }
  });
  const { hostContext } = await ask('ui/initialize', {
    appInfo: { name: 'ba-copilot-diagram', version: '1' },
    appCapabilities: {},
    protocolVersion: VERSION,
  });
  tell('ui/notifications/initialized', {});
  return hostContext ?? {};
}

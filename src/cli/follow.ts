// The server-sent events of the daemon over its unix socket, one by one.
import { request } from 'node:http';
import type { GatewayEvent } from '../daemon/api/session.ts';
import { ClientError } from './client.ts';

/** Tells every event after `last`; resolves when the daemon ends, and throws ClientError when it does not answer. */
export function followEvents(
  socket: string,
  last: number,
  tell: (event: GatewayEvent) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'text/event-stream', 'last-event-id': String(last) };
    const call = request({ socketPath: socket, path: '/api/v1/events', headers }, (response) => {
      if (response.statusCode !== 200) {
        response.resume();
        reject(new ClientError(`The daemon at "${socket}" gives no events (${response.statusCode}).`, 1));
        return;
      }
      let waiting = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        waiting += chunk;
        for (let end = waiting.indexOf('\n\n'); end >= 0; end = waiting.indexOf('\n\n')) {
          const data = /^data: (.*)$/m.exec(waiting.slice(0, end))?.[1];
          waiting = waiting.slice(end + 2);
          if (data !== undefined) tell(JSON.parse(data) as GatewayEvent);
        }
      });
      response.on('end', () => resolve());
      response.on('error', () => resolve());
    });
    call.on('error', (error) =>
      reject(new ClientError(`The daemon at "${socket}" cannot be asked: ${error.message}.`, 3)),
    );
    call.end();
  });
}

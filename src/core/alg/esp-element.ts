// Elements of the kernel's sets and maps of ESP as values: `esp_in` and `esp_trial` hold (server, SPI) :
// device, `esp_out` and `esp_watched` hold (device, server, SPI), and the turns who may begin with a
// server. Their form is that of the declarations in core/policy.
import { ipv4Bytes, ipv4FromBytes, type Ipv4Address } from '../address.ts';
import { Reader, Writer } from '../wire/bytes.ts';
import type { Spi } from '../wire/esp.ts';
import type { NftElement } from '../wire/nft-elements.ts';

/** One direction of a security association that the kernel knows. */
export interface EspElement {
  readonly direction: 'in' | 'out';
  readonly client: Ipv4Address;
  readonly server: Ipv4Address;
  readonly spi: Spi;
  /** Null where the map does not count. */
  readonly counter: { readonly packets: number; readonly bytes: number } | null;
}

/** Null for an element of another form, which no version of ours has made. */
export function readEspElement(direction: 'in' | 'out', element: NftElement): EspElement | null {
  const { key, data, counter } = element;
  if (direction === 'in') {
    if (key.length !== 8 || data?.length !== 4) return null;
    const [server, client] = [ipv4FromBytes(key.subarray(0, 4)), ipv4FromBytes(data)];
    return { direction, server, client, spi: new Reader(key, 4).u32() as Spi, counter };
  }
  if (key.length !== 12) return null;
  const [client, server] = [ipv4FromBytes(key.subarray(0, 4)), ipv4FromBytes(key.subarray(4, 8))];
  return { direction, server, client, spi: new Reader(key, 8).u32() as Spi, counter };
}

/** The key in `esp_in` and `esp_trial`. */
export function inboundKey(server: Ipv4Address, spi: Spi): Uint8Array {
  return new Writer(8).put(ipv4Bytes(server)).u32(spi).bytes;
}

/** The key in `esp_out` and `esp_watched`. */
export function outboundKey(client: Ipv4Address, server: Ipv4Address, spi: Spi): Uint8Array {
  return new Writer(12).put(ipv4Bytes(client)).put(ipv4Bytes(server)).u32(spi).bytes;
}

/** The key in `turn_holder`. */
export function holderKey(server: Ipv4Address, client: Ipv4Address): Uint8Array {
  return new Writer(8).put(ipv4Bytes(server)).put(ipv4Bytes(client)).bytes;
}

/** The key in `ike_cookies` and `turn_ike`. */
export function cookieKey(server: Ipv4Address, initiatorSpi: bigint): Uint8Array {
  return new Writer(12).put(ipv4Bytes(server)).u64(initiatorSpi).bytes;
}

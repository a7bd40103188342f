// Turns checksum and segmentation offloads of an interface off (ethtool's ioctl, linux/ethtool.h), so
// that every packet of the lab has its real checksum on the wire and the taps can check it.
import koffi from 'koffi';
import { AF_INET, closeDescriptor, LinuxError, openSocket, SOCK_DGRAM } from '../src/linux/libc.ts';
import type { Namespace } from './namespaces.ts';

const SIOCETHTOOL = 0x8946;
const ETHTOOL_SRXCSUM = 0x15;
const ETHTOOL_STXCSUM = 0x17;
const ETHTOOL_SSG = 0x19;
const ETHTOOL_STSO = 0x1f;
const ETHTOOL_SGSO = 0x24;
const ETHTOOL_SGRO = 0x2c;
const SIZEOF_IFREQ = 40;

const ioctl = koffi.load('libc.so.6').func('int ioctl(int fd, unsigned long request, void *argument)');

export function disableOffloads(namespace: Namespace, interfaceName: string): void {
  const fd = namespace.inside(() => openSocket(AF_INET, SOCK_DGRAM, 0));
  const value: unknown = koffi.alloc('uint32_t', 2);
  try {
    for (const command of [
      ETHTOOL_STXCSUM,
      ETHTOOL_SRXCSUM,
      ETHTOOL_STSO,
      ETHTOOL_SGSO,
      ETHTOOL_SGRO,
      ETHTOOL_SSG,
    ]) {
      koffi.encode(value, 'uint32_t', [command, 0], 2);
      const request = new Uint8Array(SIZEOF_IFREQ);
      request.set(new TextEncoder().encode(interfaceName).subarray(0, 15));
      new DataView(request.buffer).setBigUint64(16, koffi.address(value), true);
      const status: number = ioctl(fd, SIOCETHTOOL, request);
      if (status < 0 && command === ETHTOOL_STXCSUM) {
        throw new LinuxError('ioctl', `errno ${koffi.errno()}`, `checksum offload of ${interfaceName} off`);
      }
    }
  } finally {
    koffi.free(value);
    closeDescriptor(fd);
  }
}

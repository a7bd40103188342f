// eBPF without a compiler: an assembler for the few instructions the benchmark needs, and bpf(2)
// through the C library. Knows opcodes and system calls; does not know what the programs are for
// (programs.ts). The encoding is RFC 9669; the layouts of `union bpf_attr` are in linux/bpf.h.
// XDP "live frames" (BPF_F_TEST_XDP_LIVE_FRAMES) need Linux 5.18. Little-endian machines only.
import { endianness } from 'node:os';
import koffi from 'koffi';
import { assert } from '../src/core/assert.ts';
import { LinuxError, AF_INET, SOCK_DGRAM, closeDescriptor, openSocket } from '../src/linux/libc.ts';

/** r0 holds results, r1 to r5 arguments (lost in calls), r6 to r9 survive calls, r10 is the stack. */
export type Register = 'r0' | 'r1' | 'r2' | 'r3' | 'r4' | 'r5' | 'r6' | 'r7' | 'r8' | 'r9' | 'r10';
export type Bits = 8 | 16 | 32 | 64;
type Arithmetic = keyof typeof arithmetic;
type Comparison = keyof typeof comparisons;

const arithmetic = { add: 0x00, sub: 0x10, and: 0x50, rsh: 0x70, mod: 0x90, xor: 0xa0, mov: 0xb0 } as const;
const comparisons = { eq: 0x10, gt: 0x20, ge: 0x30, ne: 0x50 } as const;
const sizes: Record<Bits, number> = { 8: 0x10, 16: 0x08, 32: 0x00, 64: 0x18 };
const CLASS = { ld: 0, ldx: 1, st: 2, stx: 3, alu32: 4, jmp64: 5, jmp32: 6, alu64: 7 } as const;
const FROM_REGISTER = 0x08;
const MODE_MEMORY = 0x60;
const MODE_ATOMIC = 0xc0;
const PSEUDO_MAP_VALUE = 2;

/** Writes one program, instruction after instruction; jumps name labels that may come later. */
export class Assembler {
  readonly #code: { op: number; dst: number; src: number; off: number | string; imm: number }[] = [];
  readonly #labels = new Map<string, number>();

  /** 64-bit arithmetic; a number operand is sign-extended from 32 bits. */
  compute(op: Arithmetic, dst: Register, operand: Register | number): void {
    this.#withOperand(CLASS.alu64 | arithmetic[op], dst, operand, 0);
  }

  load(bits: Bits, dst: Register, base: Register, offset: number): void {
    this.#put(CLASS.ldx | MODE_MEMORY | sizes[bits], number(dst), number(base), offset, 0);
  }

  store(bits: Bits, base: Register, offset: number, value: Register | number): void {
    if (typeof value === 'number') {
      this.#put(CLASS.st | MODE_MEMORY | sizes[bits], number(base), 0, offset, value);
    } else {
      this.#put(CLASS.stx | MODE_MEMORY | sizes[bits], number(base), number(value), offset, 0);
    }
  }

  /** Adds to a 64-bit counter that another processor may be reading or adding to. */
  addToCounter(base: Register, offset: number, value: Register): void {
    this.#put(CLASS.stx | MODE_ATOMIC | sizes[64], number(base), number(value), offset, 0);
  }

  /** Host to network order (or back) and zero-extension, in the low 16 or 32 bits. */
  swapBytes(bits: 16 | 32, dst: Register): void {
    this.#put(CLASS.alu32 | 0xd0 | FROM_REGISTER, number(dst), 0, 0, bits);
  }

  /** Compares all 64 bits, unsigned; a number operand is sign-extended from 32 bits. */
  jumpIf(op: Comparison, left: Register, right: Register | number, label: string): void {
    this.#withOperand(CLASS.jmp64 | comparisons[op], left, right, label);
  }

  /** Compares the low 32 bits, unsigned. */
  jumpIf32(op: Comparison, left: Register, right: Register | number, label: string): void {
    this.#withOperand(CLASS.jmp32 | comparisons[op], left, right, label);
  }

  label(name: string): void {
    assert(!this.#labels.has(name), `label "${name}" is used once`);
    this.#labels.set(name, this.#code.length);
  }

  /** The address of byte `offset` in the only value of an array map. */
  loadMapValue(dst: Register, mapFd: number, offset = 0): void {
    this.#put(CLASS.ld | sizes[64], number(dst), PSEUDO_MAP_VALUE, 0, mapFd);
    this.#put(0, 0, 0, 0, offset);
  }

  call(helper: number): void {
    this.#put(CLASS.jmp64 | 0x80, 0, 0, 0, helper);
  }

  exit(result: number): void {
    this.compute('mov', 'r0', result);
    this.exitWithR0();
  }

  exitWithR0(): void {
    this.#put(CLASS.jmp64 | 0x90, 0, 0, 0, 0);
  }

  /** The program as the kernel takes it, eight bytes an instruction. */
  assemble(): Uint8Array {
    const view = new DataView(new ArrayBuffer(this.#code.length * 8));
    for (const [index, { op, dst, src, off, imm }] of this.#code.entries()) {
      const target = typeof off === 'string' ? this.#labels.get(off) : index + 1;
      assert(target !== undefined, `label "${String(off)}" exists`);
      view.setUint8(index * 8, op);
      view.setUint8(index * 8 + 1, dst | (src << 4));
      view.setInt16(index * 8 + 2, typeof off === 'string' ? target - index - 1 : off, true);
      view.setInt32(index * 8 + 4, imm, true);
    }
    return new Uint8Array(view.buffer);
  }

  #withOperand(op: number, dst: Register, operand: Register | number, off: number | string): void {
    if (typeof operand === 'number') this.#put(op, number(dst), 0, off, operand);
    else this.#put(op | FROM_REGISTER, number(dst), number(operand), off, 0);
  }

  #put(op: number, dst: number, src: number, off: number | string, imm: number): void {
    this.#code.push({ op, dst, src, off, imm });
  }
}

function number(register: Register): number {
  return Number(register.slice(1));
}

const libc = koffi.load('libc.so.6');
const call = {
  bpf: libc.func('long syscall(long number, int command, void *attributes, unsigned int size)'),
  ioctl: libc.func('int ioctl(int fd, unsigned long request, void *argument)'),
};
const systemCall: Partial<Record<NodeJS.Architecture, number>> = { x64: 321, arm64: 280, riscv64: 280 };
const COMMAND = { mapCreate: 0, mapLookup: 1, mapUpdate: 2, load: 5, testRun: 10, linkCreate: 28 } as const;
const MAP_TYPE_ARRAY = 2;
const PROGRAM_TYPE_XDP = 6;
const ATTACH_TYPE_XDP = 37;
const XDP_FLAGS_DRV_MODE = 4;
const TEST_XDP_LIVE_FRAMES = 2;
const LOG_BYTES = 65536;

function errnoName(): string {
  const code = koffi.errno();
  // The first name wins: EAGAIN is also called EWOULDBLOCK.
  return Object.keys(koffi.os.errno).find((name) => koffi.os.errno[name] === code) ?? `errno ${code}`;
}

function isErrno(error: unknown, name: string): boolean {
  return error instanceof LinuxError && error.errno === name;
}

/** One `union bpf_attr`. The buffers behind `pointer` live as long as this object. */
class Attributes {
  readonly bytes = new Uint8Array(128);
  readonly #view = new DataView(this.bytes.buffer);
  readonly #kept: Uint8Array[] = [];

  u32(offset: number, value: number): this {
    this.#view.setUint32(offset, value, true);
    return this;
  }

  pointer(offset: number, buffer: Uint8Array): this {
    this.#kept.push(buffer);
    this.#view.setBigUint64(offset, koffi.address(buffer), true);
    return this;
  }

  text(offset: number, value: string): this {
    this.bytes.set(Buffer.from(value, 'latin1').subarray(0, 15), offset);
    return this;
  }

  /** Returns the system call's result, which is not negative; `detail` is asked only after a failure. */
  perform(command: keyof typeof COMMAND, attempted: string, detail: () => string = () => ''): number {
    const nr = systemCall[process.arch];
    if (nr === undefined || endianness() !== 'LE') {
      throw new LinuxError('bpf', 'ENOSYS', attempted, `not known on ${process.arch}`);
    }
    const result = Number(call.bpf(nr, COMMAND[command], this.bytes, this.bytes.length));
    if (result >= 0) return result;
    throw new LinuxError('bpf', errnoName(), attempted, detail());
  }
}

/** An array map with a single value, as a descriptor; the caller closes it. */
export function createMap(valueBytes: number): number {
  return new Attributes()
    .u32(0, MAP_TYPE_ARRAY)
    .u32(4, 4)
    .u32(8, valueBytes)
    .u32(12, 1)
    .perform('mapCreate', `an array map of ${valueBytes} bytes`);
}

export function readMap(fd: number, value: Uint8Array): void {
  new Attributes().u32(0, fd).pointer(8, new Uint8Array(4)).pointer(16, value).perform('mapLookup', 'a read');
}

export function writeMap(fd: number, value: Uint8Array): void {
  new Attributes()
    .u32(0, fd)
    .pointer(8, new Uint8Array(4))
    .pointer(16, value)
    .perform('mapUpdate', 'a write');
}

/** Loads an XDP program; a refusal by the verifier carries its log. The caller closes the descriptor. */
export function loadProgram(name: string, code: Uint8Array): number {
  const log = new Uint8Array(LOG_BYTES);
  const verdict = (): string => Buffer.from(log.subarray(0, log.indexOf(0))).toString('latin1');
  for (let attempt = 1; ; attempt += 1) {
    try {
      return new Attributes()
        .u32(0, PROGRAM_TYPE_XDP)
        .u32(4, code.length / 8)
        .pointer(8, code)
        .pointer(16, Buffer.from('Apache-2.0\0'))
        .u32(24, 1)
        .u32(28, LOG_BYTES)
        .pointer(32, log)
        .text(48, name)
        .u32(68, ATTACH_TYPE_XDP)
        .perform('load', `XDP program "${name}"`, verdict);
    } catch (error) {
      // The verifier gives up when a signal is pending: libbpf tries five times, too.
      if (attempt === 5 || !isErrno(error, 'EAGAIN')) throw error;
    }
  }
}

/** Attaches in the driver, in the thread's network namespace; ends when the descriptor is closed. */
export function attachProgram(programFd: number, interfaceIndex: number): number {
  return new Attributes()
    .u32(0, programFd)
    .u32(4, interfaceIndex)
    .u32(8, ATTACH_TYPE_XDP)
    .u32(12, XDP_FLAGS_DRV_MODE)
    .perform('linkCreate', `XDP on interface ${interfaceIndex}`);
}

/**
 * Runs the program `times` times in this thread, on frames that it may really send from the thread's
 * network namespace. The kernel reuses the frames, and does not restore what anyone wrote in them.
 */
export function runOnLiveFrames(programFd: number, frame: Uint8Array, times: number): void {
  const attributes = new Attributes()
    .u32(0, programFd)
    .u32(8, frame.length)
    .pointer(16, frame)
    .u32(32, times)
    .u32(64, TEST_XDP_LIVE_FRAMES);
  try {
    attributes.perform('testRun', `${times} live frames`);
  } catch (error) {
    // A signal ends the run early: the caller counts packets, not runs.
    if (!isErrno(error, 'EINTR')) throw error;
  }
}

const SIOCETHTOOL = 0x8946;
const ETHTOOL_SGRO = 0x2c;

/** Switches generic receive offload in the thread's namespace. On a veth this is what gives it NAPI. */
export function setReceiveOffload(interfaceName: string, on: boolean): void {
  const command = new Uint8Array(new Uint32Array([ETHTOOL_SGRO, on ? 1 : 0]).buffer);
  const request = new Uint8Array(40);
  request.set(Buffer.from(interfaceName, 'latin1').subarray(0, 15));
  new DataView(request.buffer).setBigUint64(16, koffi.address(command), true);
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
  const result: number = call.ioctl(fd, SIOCETHTOOL, request);
  const name = errnoName();
  closeDescriptor(fd);
  if (result < 0) throw new LinuxError('ioctl', name, `receive offload of ${interfaceName}`);
}

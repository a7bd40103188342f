// Takes out of an ELF program what only a debugger reads: sections that are not loaded (.symtab, .debug_*
// and their names). Done here and not by strip(1), so that a package for arm64 is made on amd64 without
// another binutils, and comes out the same everywhere. Knows 64-bit little-endian files, which both are.
// elf(5).

const SHF_ALLOC = 2;
const SHT_NULL = 0;
const SHT_STRTAB = 3;
const SHT_NOBITS = 8;
const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;

interface Section {
  readonly header: Buffer;
  readonly nameAt: number;
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
}

/** SHF_INFO_LINK: `sh_info` holds the number of a section. */
const SHF_INFO_LINK = 0x40;

/** The same program without what is not loaded. Throws when the bytes are not such a file. */
export function stripElf(file: Buffer): Buffer {
  if (file.length < HEADER_BYTES || file.toString('latin1', 0, 6) !== '\u007fELF\u0002\u0001')
    throw new Error('not a 64-bit little-endian ELF file');
  const sectionsAt = Number(file.readBigUInt64LE(40));
  const count = file.readUInt16LE(60);
  const sections = Array.from({ length: count }, (_, index) => readSection(file, sectionsAt + index * 64));
  const names = sections[file.readUInt16LE(62)];
  if (!names) throw new Error('an ELF file without section names');
  const nameOf = ({ nameAt }: Section): string =>
    file.toString('latin1', names.offset + nameAt, file.indexOf(0, names.offset + nameAt));

  const kept = sections.flatMap((section, index) =>
    section.type === SHT_NULL || (section.flags & SHF_ALLOC) !== 0 ? [index] : [],
  );
  const place = new Map(kept.map((index, at) => [index, at]));
  // What is loaded keeps its place in the file, for the program headers name it.
  let end = loadedEnd(file);
  for (const index of kept) {
    const { type, offset, size } = sections[index]!;
    if (type !== SHT_NOBITS) end = Math.max(end, offset + size);
  }

  let strings = '\0';
  const headers = kept.map((index) => {
    const section = sections[index]!;
    const header = Buffer.from(section.header);
    if (section.type !== SHT_NULL) {
      header.writeUInt32LE(strings.length, 0);
      strings += `${nameOf(section)}\0`;
    }
    header.writeUInt32LE(place.get(section.link) ?? 0, 40);
    if ((section.flags & SHF_INFO_LINK) !== 0) header.writeUInt32LE(place.get(section.info) ?? 0, 44);
    return header;
  });
  const own = Buffer.alloc(64);
  own.writeUInt32LE(strings.length, 0);
  strings += '.shstrtab\0';
  own.writeUInt32LE(SHT_STRTAB, 4);
  own.writeBigUInt64LE(BigInt(end), 24);
  own.writeBigUInt64LE(BigInt(strings.length), 32);
  own.writeBigUInt64LE(1n, 48);
  headers.push(own);

  const tableAt = Math.ceil((end + strings.length) / 8) * 8;
  const stripped = Buffer.alloc(tableAt + headers.length * 64);
  file.copy(stripped, 0, 0, end);
  stripped.write(strings, end, 'latin1');
  for (const [at, header] of headers.entries()) header.copy(stripped, tableAt + at * 64);
  stripped.writeBigUInt64LE(BigInt(tableAt), 40);
  stripped.writeUInt16LE(headers.length, 60);
  stripped.writeUInt16LE(headers.length - 1, 62);
  return stripped;
}

function readSection(file: Buffer, at: number): Section {
  return {
    header: file.subarray(at, at + 64),
    nameAt: file.readUInt32LE(at),
    type: file.readUInt32LE(at + 4),
    flags: Number(file.readBigUInt64LE(at + 8)),
    offset: Number(file.readBigUInt64LE(at + 24)),
    size: Number(file.readBigUInt64LE(at + 32)),
    link: file.readUInt32LE(at + 40),
    info: file.readUInt32LE(at + 44),
  };
}

/** Where the last byte that the kernel maps ends. */
function loadedEnd(file: Buffer): number {
  const at = Number(file.readBigUInt64LE(32));
  let end = HEADER_BYTES;
  for (let index = 0; index < file.readUInt16LE(56); index += 1) {
    const header = at + index * PROGRAM_HEADER_BYTES;
    end = Math.max(
      end,
      header + PROGRAM_HEADER_BYTES,
      Number(file.readBigUInt64LE(header + 8)) + Number(file.readBigUInt64LE(header + 32)),
    );
  }
  return end;
}

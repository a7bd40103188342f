import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'src/**/*.test.ts',
      'test/**/*.test.ts',
      'lab/**/*.test.ts',
      'packaging/**/*.test.ts',
      'bench/**/*.test.ts',
    ],
    pool: 'threads',
    testTimeout: 20_000,
  },
});

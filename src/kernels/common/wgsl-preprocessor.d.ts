/** The package names no entry point, so its one file is imported by path. */
declare module 'wgsl-preprocessor/wgsl-preprocessor.js' {
  /** Template tag: keeps or drops text between `#if ${condition}`, `#elif`, `#else` and `#endif`. */
  export function wgsl(strings: TemplateStringsArray, ...values: unknown[]): string;
}

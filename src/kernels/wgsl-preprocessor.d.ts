declare module 'wgsl-preprocessor' {
  /** Template tag: keeps or drops text between `#if ${condition}`, `#elif`, `#else` and `#endif`. */
  export function wgsl(strings: TemplateStringsArray, ...values: unknown[]): string;
}

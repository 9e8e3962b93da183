import type { z } from 'zod';
import type { Tensor } from '../../engine/graph/tensor.js';
import type { LinearClassifier } from '../backbones/backbone.js';
import { ModelError } from '../model-error.js';
import type { ModelScope } from '../model-scope.js';

/**
 * What a head is: options with their ranges and defaults, and a plain function from what the backbone sees to logits.
 * A new head is one file with one `defineHead`; see linear.ts for the shortest. model.ts puts it behind a backbone and
 * knows none of them.
 */
export interface HeadDefinition<Schema extends z.ZodType> {
  /** As in recipes. */
  readonly name: string;
  /** One line for lists of heads. */
  readonly summary: string;
  /** Where it comes from. */
  readonly source: string;
  /** Use `z.strictObject`, so that a misspelt option is refused. */
  readonly options: Schema;
  /**
   * What it is given: pooled features [n, f], or the map [n, h, w, f] that they would be pooled from. In either, the
   * architecture's last norm is applied already, and dropout of the features (`dropRate`).
   */
  readonly reads: 'features' | 'map';
  /** Whether it draws masks of its own in training. Absent: never. */
  usesDropout?(options: z.output<Schema>): boolean;
  /**
   * @param x what it `reads` @param place what the architecture says of its own classifier, and how many classes there are
   * Names of parameters are those of the state dicts that the authors of the head publish.
   */
  trace(scope: ModelScope, x: Tensor, options: z.output<Schema>, place: HeadPlace): HeadOutput;
}

export interface HeadPlace {
  readonly classes: number;
  /** What each class looks like, in words, [classes][prompts]; for heads that read texts. */
  readonly prompts?: ClassPrompts | undefined;
  readonly classifier: LinearClassifier;
}

export interface HeadOutput {
  /** [n, classes] */
  readonly logits: Tensor;
  /** Of heads that compare embeddings: [n, d], each of length 1. */
  readonly embedding?: Tensor;
}

/** Texts for each class, in the order of the classes. */
export type ClassPrompts = readonly (readonly string[])[];

/** A head's name and options, all filled in. */
export type HeadSettings = { readonly name: string } & Readonly<Record<string, unknown>>;

/** A registered head, its options' types out of sight. */
export interface Head {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  /** Names of its options. */
  readonly options: readonly string[];
  /** Fixes the options. Throws `ModelError` naming the one that is unknown or out of range. */
  bind(options: Readonly<Record<string, unknown>>): BoundHead;
}

/** A head with its options. */
export interface BoundHead {
  readonly settings: HeadSettings;
  readonly reads: 'features' | 'map';
  readonly usesDropout: boolean;
  trace(scope: ModelScope, x: Tensor, place: HeadPlace): HeadOutput;
}

export function defineHead<Schema extends z.ZodObject>(definition: HeadDefinition<Schema>): Head {
  const { name, summary, source, reads } = definition;
  return {
    name,
    summary,
    source,
    options: Object.keys(definition.options.shape),
    bind(given) {
      const result = definition.options.safeParse(given);
      if (!result.success) {
        const reasons = result.error.issues.map(({ path, message }) =>
          path.length > 0 ? `${path.join('.')}: ${message}` : message,
        );
        throw new ModelError(`head "${name}": ${reasons.join('; ')}`);
      }
      const options = result.data;
      return {
        settings: { name, ...options },
        reads,
        usesDropout: definition.usesDropout?.(options) ?? false,
        trace: (scope, x, place) => definition.trace(scope, x, options, place),
      };
    },
  };
}

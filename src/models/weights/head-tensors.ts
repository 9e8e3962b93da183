import { HEADS } from '../heads/registry.js';
import { defineModel, type ModelDefinition } from '../model.js';
import { ModelError } from '../model-error.js';

/**
 * What a tensor that the model has not may have belonged to: the modules (first parts of tensor names) that heads of
 * this backbone have, this model's own or any registered one's with its defaults, and how networks that people publish
 * call theirs. A name alone decides nothing: a ConvNeXt's `head.norm` is the backbone's, which the model itself says.
 */
export function headModules(definition: ModelDefinition): ReadonlySet<string> {
  const modules = ownHeadModules(definition);
  for (const { name } of HEADS) {
    const other = withHead(definition, name);
    for (const module of other ? ownHeadModules(other) : []) modules.add(module);
  }
  return modules;
}

/** The same without other heads than the model's own. */
export function ownHeadModules({ parameters }: Pick<ModelDefinition, 'parameters'>): Set<string> {
  const own = parameters.filter(({ group }) => group === 'head').map(({ name }) => moduleOf(name));
  return new Set(['fc', 'head', 'classifier', ...own]);
}

export function moduleOf(name: string): string {
  return name.split('.', 1)[0] ?? name;
}

/** The same backbone under another head; nothing for a head that has no defaults. */
function withHead({ config }: ModelDefinition, head: string): ModelDefinition | undefined {
  try {
    return defineModel({ ...config, head });
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    return undefined;
  }
}

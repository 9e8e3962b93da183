import { at, type Node, type Tensor } from './tensor.js';

/**
 * Two nodes that read the same tensor become one where the op of the later one can do the other's work on the way
 * (`Op.joinWith`): the tensor is then read once. The joined node gives the outputs of both.
 *
 * @param nodes in graph order; those whose results nobody reads are gone already
 */
export function joinReaders(nodes: readonly Node[]): Node[] {
  const uses = usesOf(nodes);
  /** What stands in the place of each node. */
  const places = nodes.map((node) => [node]);
  for (const [position, node] of nodes.entries()) {
    if (!node.op.joinWith) continue;
    for (const [operand, input] of node.inputs.entries()) {
      for (const earlier of uses.readersOf(input)) {
        const other = at(nodes, earlier);
        if (earlier >= position || at(places, earlier).length === 0 || other.op.mutates) continue;
        // The other's work moves down to this place: nobody may need its results before.
        if (other.outputs.some((output) => uses.readersOf(output).some((reader) => reader < position)))
          continue;
        const [own = node, ...behind] = at(places, position);
        const joined = own.op.joinWith?.(own, operand, other);
        if (!joined) continue;
        const shapes = other.outputs.flatMap((output) => uses.aliasesOf(output)).filter((i) => i < position);
        places[position] = [
          { ...own, ...joined, outputs: [...own.outputs, ...other.outputs] },
          ...behind,
          ...shapes.flatMap((alias) => at(places, alias)),
        ];
        for (const moved of [earlier, ...shapes]) places[moved] = [];
      }
    }
  }
  return places.flat();
}

interface Uses {
  /** Positions of the nodes that read the bytes of a tensor, under whatever shape. */
  readersOf(tensor: Tensor): readonly number[];
  /** Positions of the nodes that only give a tensor other shapes. */
  aliasesOf(tensor: Tensor): readonly number[];
}

function usesOf(nodes: readonly Node[]): Uses {
  const origins = new Map<Tensor, Tensor>();
  const originOf = (tensor: Tensor) => origins.get(tensor) ?? tensor;
  const readers = new Map<Tensor, number[]>();
  const aliases = new Map<Tensor, number[]>();
  for (const [position, { op, inputs, outputs }] of nodes.entries()) {
    for (const origin of new Set(inputs.map(originOf))) {
      // Variables change in place: two nodes may read different values of one.
      if (origin.source.kind === 'variable') continue;
      const list = op.alias ? aliases : readers;
      const known = list.get(origin);
      if (known) known.push(position);
      else list.set(origin, [position]);
    }
    if (op.alias) origins.set(at(outputs, 0), originOf(at(inputs, 0)));
  }
  return {
    readersOf: (tensor) => readers.get(originOf(tensor)) ?? [],
    aliasesOf: (tensor) => aliases.get(originOf(tensor)) ?? [],
  };
}

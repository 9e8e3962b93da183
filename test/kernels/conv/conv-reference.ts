import type { ConvGeometry } from '../../../src/kernels/conv/conv-geometry.js';

/** Convolution in float64, straight from the definition. x [n, h, w, c], w [kh, kw, c / groups, o]. */
export function convReference(g: ConvGeometry): (inputs: Float64Array[]) => Float64Array {
  const perGroup = g.c / g.groups;
  return ([x, w]) => {
    const y = new Float64Array(g.n * g.oh * g.ow * g.o);
    let at = 0;
    for (let n = 0; n < g.n; n++)
      for (let oy = 0; oy < g.oh; oy++)
        for (let ox = 0; ox < g.ow; ox++)
          for (let o = 0; o < g.o; o++, at++) {
            const first = Math.floor(o / (g.o / g.groups)) * perGroup;
            for (let ky = 0; ky < g.kh; ky++) {
              const iy = oy * g.strideY + ky * g.dilationY - g.padTop;
              if (iy < 0 || iy >= g.h) continue;
              for (let kx = 0; kx < g.kw; kx++) {
                const ix = ox * g.strideX + kx * g.dilationX - g.padLeft;
                if (ix < 0 || ix >= g.w) continue;
                for (let c = 0; c < perGroup; c++) {
                  y[at]! +=
                    x![((n * g.h + iy) * g.w + ix) * g.c + first + c]! *
                    w![((ky * g.kw + kx) * perGroup + c) * g.o + o]!;
                }
              }
            }
          }
    return y;
  };
}

import { literal } from '../../kernels/pointwise/expression.js';
import { LOG1P } from '../../kernels/pointwise/pointwise-table.js';

/**
 * The logistic quantities that losses are made of, each to full relative precision at any logit, in WGSL and in
 * float64. A loss takes them from here instead of log(σ(x) + eps), which has lost its digits where σ(x) is small.
 */
export interface Logistic {
  /** σ(x) */
  readonly p: number;
  /** 1 − σ(x) = σ(−x) */
  readonly q: number;
  /** −log σ(x) = softplus(−x) */
  readonly minusLogP: number;
  /** −log(1 − σ(x)) = softplus(x) */
  readonly minusLogQ: number;
}

/** WGSL twin of `logistic`: `fn logistic(x: f32) -> Logistic`. Also defines `log1p(z)` for z in [−½, 1]. */
export const LOGISTIC = `alias T = f32;
${LOG1P}
struct Logistic { p: f32, q: f32, minusLogP: f32, minusLogQ: f32 }
fn logistic(x: f32) -> Logistic {
  // e^−|x|: below 1e-38 from |x| = 88 on, and no exponential ever sees more than that.
  let z = exp(-min(abs(x), 100.0));
  let likely = 1.0 / (1.0 + z);
  let unlikely = z * likely;
  let tail = log1p(z);
  let positive = x >= 0.0;
  return Logistic(
    select(unlikely, likely, positive),
    select(likely, unlikely, positive),
    max(-x, 0.0) + tail,
    max(x, 0.0) + tail,
  );
}
`;

/** float64 twin of the WGSL `logistic`. */
export function logistic(x: number): Logistic {
  const z = Math.exp(-Math.abs(x));
  const likely = 1 / (1 + z);
  const unlikely = z * likely;
  const tail = Math.log1p(z);
  return {
    p: x >= 0 ? likely : unlikely,
    q: x >= 0 ? unlikely : likely,
    minusLogP: Math.max(-x, 0) + tail,
    minusLogQ: Math.max(x, 0) + tail,
  };
}

/**
 * WGSL for `base` to the power `exponent` ≥ 0, `base` being the name of a value in [0, 1]. The whole part is a product:
 * `pow` would lose digits where the result is small, and need not give 0 for 0.
 */
export function powerWgsl(base: string, exponent: number): string {
  const whole = Math.floor(exponent);
  const fraction = exponent - whole;
  const factors: string[] = whole <= 8 ? Array.from({ length: whole }, () => base) : [];
  const rest = whole <= 8 ? fraction : exponent;
  if (rest === 0.5) factors.push(`sqrt(${base})`);
  else if (rest > 0) factors.push(`select(pow(${base}, ${literal(rest)}), 0.0, ${base} <= 0.0)`);
  return factors.length > 0 ? `(${factors.join(' * ')})` : '1.0';
}

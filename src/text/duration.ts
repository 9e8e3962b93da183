import { type MaybeNumber, NOTHING } from './numbers.js';

/** `4.3 s`, `47 s`, `3 min 20 s`, `2 h 05 min` */
export function formatSeconds(seconds: MaybeNumber): string {
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) return NOTHING;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, '0')} min`;
  return minutes > 0 ? `${minutes} min ${rest} s` : `${rest} s`;
}

/** Milliseconds in microseconds: 0.0123 → `12 µs`. */
export function formatMicroseconds(milliseconds: number): string {
  return `${(1000 * milliseconds).toFixed(0)} µs`;
}

/** For estimates, in one unit: `8 ms`, `4.3 s`, `47 s`, `42 min`, `3.5 h`, `47 h`. */
export function formatRoughly(seconds: number): string {
  if (!Number.isFinite(seconds)) return NOTHING;
  if (seconds < 0.9995) return `${(1000 * seconds).toFixed(0)} ms`;
  if (seconds < 99.5) return seconds < 9.95 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
  const minutes = seconds / 60;
  if (minutes < 99.5) return `${Math.round(minutes)} min`;
  const hours = minutes / 60;
  return `${hours < 9.95 ? hours.toFixed(1) : Math.round(hours)} h`;
}

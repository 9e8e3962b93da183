import type { Device } from '../../engine/device.js';
import { type OpTime, Profiler } from '../../engine/run/profile.js';
import type { RunRequests } from './run-requests.js';

/**
 * A single step that is timed op by op because somebody asks for it while the run goes on. Its results are those of any
 * other step; it takes longer, since the host waits for its timestamps.
 */
export class RequestedProfile {
  readonly #device: Device;
  readonly #requests: RunRequests;
  readonly #onProfile: (step: number, ops: readonly OpTime[]) => Promise<void>;

  /** @param onProfile is told the number of the step, from 1 */
  constructor(
    device: Device,
    requests: RunRequests,
    onProfile: (step: number, ops: readonly OpTime[]) => Promise<void>,
  ) {
    this.#device = device;
    this.#requests = requests;
    this.#onProfile = onProfile;
  }

  /** Whether the next step is to be profiled; the wish is taken back. Never on an adapter without timestamps. */
  take(): boolean {
    const wanted = this.#requests.profile && Profiler.supported(this.#device);
    this.#requests.profile = false;
    return wanted;
  }

  /** @param step from 0 */
  done(step: number, ops: readonly OpTime[]): Promise<void> {
    return this.#onProfile(step + 1, ops);
  }
}

import { randomBytes } from 'node:crypto';
import type { Device } from '../engine/device.js';
import type { Recipe } from '../recipe/recipe-schema.js';
import type { RunRequests } from '../train/live/run-requests.js';
import type { RunDirectory } from '../train/run/run-directory.js';
import type { RunEvent } from '../train/run/run-event.js';
import { Access } from './access.js';
import { LiveParts } from './live-parts.js';
import { type PartName, PLOT_STYLES, pageFile, renderPart, renderShell } from './page.js';
import { readRemembered, writeRemembered } from './remembered.js';
import { type Phase, RunState } from './run-state.js';
import { DashboardServer, type Served } from './server.js';

/**
 * A run as a page in the browser while it goes on: one more listener of the run's events, and a server on this machine.
 * It must cost the run nothing. Events change a few numbers; pages are made of them at most so often that it takes a
 * hundredth of the time, and only while a browser is open. A fault of the page is told, and ends the page, not the run.
 */

export interface DashboardOptions {
  readonly run: RunDirectory;
  readonly recipe: Recipe;
  /** Whether the run goes on from before: browsers that knew it then know it again. */
  readonly resume: boolean;
  /** Where to listen, if it is free; 0: anywhere. Default: where the run was before, else `DEFAULT_PORT`. */
  readonly port?: number | undefined;
  /** Does what Ctrl-C does. */
  readonly stop: () => void;
  /** Tells the person at the terminal. */
  readonly say: (text: string) => void;
}

export const DEFAULT_PORT = 8420;

/** Milliseconds between two updates of the page, at least. */
const INTERVAL = 500;
/** One part in so many of the time may go into pages. */
const SHARE = 100;

const ALL: readonly PartName[] = ['run', 'headline', 'curves', 'predictions', 'kernels', 'notes'];

export class Dashboard {
  readonly #options: DashboardOptions;
  readonly #state: RunState;
  readonly #access: Access;
  readonly #id: string;
  readonly #parts = new LiveParts();
  /** Parts that are not as the run is. */
  readonly #stale = new Set<PartName>(ALL);
  #server: DashboardServer | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When pages may be made again. */
  #next = 0;
  /** Whether the folder of the run is ours by now. */
  #begun = false;
  #broken = false;

  private constructor(options: DashboardOptions, { access, id }: { access: Access; id: string }) {
    this.#options = options;
    this.#state = new RunState(options.run, options.recipe);
    this.#access = access;
    this.#id = id;
  }

  /** Serves the page, and says where. */
  static async open(options: DashboardOptions): Promise<Dashboard> {
    const { run, resume, port, say } = options;
    const before = resume ? await readRemembered(run.path) : undefined;
    const dashboard = new Dashboard(options, {
      access: new Access(before?.sessions),
      id: before?.id ?? randomBytes(18).toString('base64url'),
    });
    const wanted = port ?? before?.port ?? DEFAULT_PORT;
    const server = await dashboard.#listen(wanted);
    dashboard.#server = server;
    if (wanted !== 0 && server.port !== wanted) {
      say(`dashboard  port ${wanted} is in use, so it is at port ${server.port}.`);
    }
    say(`dashboard  ${server.address} (works once)`);
    return dashboard;
  }

  /** What people ask for on the page. */
  get requests(): RunRequests {
    return this.#state.requests;
  }

  /** Opens the page in one browser, once. */
  get address(): string {
    return this.#server?.address ?? '';
  }

  /** Data are looked at, before there are events. */
  preparing(title: string, done: number, total: number): void {
    this.#state.doing = { title, done, total };
    this.#touch('headline');
  }

  uses(device: Device): void {
    this.#state.uses(device);
    this.#touch('kernels');
  }

  /** A `RunListener`. */
  async hear(event: RunEvent): Promise<void> {
    if (this.#broken) return;
    try {
      const changed = await this.#state.hear(event);
      if (event.kind === 'ready' && !this.#begun) {
        this.#begun = true;
        await this.#remember();
      }
      this.#touch(...changed);
    } catch (error) {
      this.#breakOff(error);
    }
  }

  /** The run is told to stop, from wherever. */
  stopping(): void {
    this.#state.said = 'Stopping: the step in hand is finished and saved.';
    this.#touch('headline');
  }

  /** Shows the end of the run, and hangs up. @param text the outcome */
  async end(phase: Phase & ('finished' | 'stopped' | 'failed'), text: string): Promise<void> {
    const state = this.#state;
    if (state.end !== null) return;
    state.phase = phase;
    state.end = text;
    state.said = '';
    clearTimeout(this.#timer);
    for (const name of ALL) this.#stale.add(name);
    if (this.#parts.readers > 0) this.#render();
    await this.#server?.close();
  }

  #listen(port: number): Promise<DashboardServer> {
    return DashboardServer.listen(
      {
        access: this.#access,
        id: this.#id,
        parts: this.#parts,
        styles: PLOT_STYLES,
        page: renderShell,
        file: (name) => this.#file(name),
        action: (name) => this.#action(name),
        onSession: () => {
          this.#options.say(`dashboard  opened. For another browser: ${this.address} (works once)`);
          if (this.#begun) void this.#remember();
        },
        onReader: () => this.#render(),
      },
      [port],
    );
  }

  #action(name: string): (() => void) | null {
    const { requests } = this.#state;
    if (name !== 'stop' && name !== 'save' && name !== 'profile') return null;
    return () => {
      if (!this.#state.goesOn) return;
      if (name === 'stop') return this.#options.stop();
      if (requests[name]) return;
      this.#state.ask(name);
      this.#touch('run');
    };
  }

  async #file(name: string): Promise<Served | null> {
    const [, stage, place] = /^images\/(\d{1,4})-(\d{1,4})\.png$/.exec(name) ?? [];
    if (stage === undefined) return pageFile(name);
    const { watched, onDevice } = this.#state;
    if (Number(stage) !== onDevice?.stage.number) return null;
    const content = (await watched?.picture(Number(place))) ?? null;
    return content && { type: 'image/png', content };
  }

  #touch(...names: readonly PartName[]): void {
    if (names.length === 0) return;
    for (const name of names) this.#stale.add(name);
    this.#stale.add('run');
    if (this.#timer !== undefined || this.#parts.readers === 0 || this.#state.end !== null) return;
    const wait = Math.max(0, this.#next - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#render();
    }, wait).unref();
  }

  /** Makes what is stale anew, and sends it. */
  #render(): void {
    if (this.#broken) return;
    const start = performance.now();
    try {
      for (const name of this.#stale) this.#parts.set(name, renderPart(name, this.#state));
      this.#stale.clear();
      this.#parts.push();
    } catch (error) {
      this.#breakOff(error);
    }
    const now = performance.now();
    this.#next = now + Math.max(INTERVAL, SHARE * (now - start));
  }

  #breakOff(error: unknown): void {
    this.#broken = true;
    const told = error instanceof Error ? error.message : String(error);
    this.#options.say(`dashboard  stopped by a fault of its own, and the run goes on: ${told}`);
  }

  /** A run whose folder can't be written has other worries. */
  async #remember(): Promise<void> {
    const port = this.#server?.port;
    if (port === undefined) return;
    const { sessions } = this.#access;
    await writeRemembered(this.#options.run.path, { port, id: this.#id, sessions: [...sessions] }).catch(
      () => {},
    );
  }
}

/** Wishes that reach a run from outside while it goes on. The run looks for them between two steps, and takes them back once they are done. */
export interface RunRequests {
  /** Save the state after the step in hand. */
  save: boolean;
  /** Time the next step op by op, see `RequestedProfile`. */
  profile: boolean;
}

import type { Draft } from './draft';

/** What each step of the wizard works on. */
export interface StepProps {
  readonly draft: Draft;
  readonly set: (change: Partial<Draft>) => void;
  readonly started: boolean;
}

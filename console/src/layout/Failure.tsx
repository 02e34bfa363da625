import { Component, type ReactNode } from 'react';
import { ProblemPanel } from '../parts/ProblemPanel';

interface FailureProps {
  readonly children: ReactNode;
}

interface FailureState {
  readonly error: unknown;
}

/** Keeps a fault of one page from taking the whole console down. */
export class Failure extends Component<FailureProps, FailureState> {
  override state: FailureState = { error: null };

  static getDerivedStateFromError(error: unknown): FailureState {
    return { error };
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return (
      <ProblemPanel
        error={this.state.error}
        retry={() => {
          this.setState({ error: null });
        }}
      />
    );
  }
}

import { Tooltip } from '@mantine/core';
import './group.css';

const meanings: Readonly<Record<string, string>> = {
  treated: 'The policy acts on this person',
  control: 'Control variant of an experiment: gets the baseline',
  holdout: 'Universal holdout: no advertising reaches this person',
};

/** The group of a decision, by colour and by word. */
export function Group({ name }: { readonly name: string }) {
  return (
    <Tooltip label={meanings[name] ?? name}>
      <span className={`q-group q-group-${name}`}>
        <span className="q-group-dot" aria-hidden="true" />
        {name}
      </span>
    </Tooltip>
  );
}

import { Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { lateSeconds, worstLag } from '../api/lag';
import { overviewQuery } from '../api/overview';
import { duration } from '../format/time';

/** Whether what comes in arrives in the log, at the foot of the navigation. */
export function PipelineHealth() {
  const { data, isError } = useQuery({ ...overviewQuery, refetchInterval: 30_000 });
  if (data === undefined && !isError) return null;
  if (data === undefined || isError) return <Line state="down" text="Service does not answer" hint="The last call failed; it is tried again by itself." />;
  const seconds = worstLag(data.lag);
  return seconds > lateSeconds ? (
    <Line state="late" text={`Log is ${duration(seconds)} behind`} hint="Figures will catch up; nothing is lost." />
  ) : (
    <Line state="fine" text="Log is up to date" hint={`Largest lag ${duration(seconds)}`} />
  );
}

function Line({ state, text, hint }: { readonly state: string; readonly text: string; readonly hint: string }) {
  return (
    <Tooltip label={hint} position="top-start">
      <div className={`q-health q-health-${state}`} role="status">
        <div className="q-health-line">
          <span className="q-health-dot" aria-hidden="true" />
          {text}
        </div>
      </div>
    </Tooltip>
  );
}

import { Suspense, lazy, type ComponentProps } from 'react';
import { SkeletonBlock } from '../parts/Skeletons';

// The chart library is the largest part of the console: it comes when the
// first chart does, and never delays signing in.
const Chart = lazy(() => import('./Chart'));

export function LazyChart(props: ComponentProps<typeof Chart>) {
  return (
    <Suspense fallback={<SkeletonBlock height={props.height} />}>
      <Chart {...props} />
    </Suspense>
  );
}

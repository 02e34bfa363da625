import { useQuery } from '@tanstack/react-query';
import { purposesQuery } from '../../api/campaigns';
import { pointsQuery } from '../../api/points';
import { segmentChoicesQuery } from '../../api/segments';

/** Keys that campaigns and scenarios may name. */
export function useChoices() {
  const points = useQuery(pointsQuery);
  const segments = useQuery(segmentChoicesQuery);
  const purposes = useQuery(purposesQuery);
  const keys = (items: readonly { readonly key: string }[] | null | undefined) => (items ?? []).map(({ key }) => key);
  return { points: keys(points.data?.items), segments: keys(segments.data?.items), purposes: keys(purposes.data?.items) };
}

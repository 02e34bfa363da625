import { useEffect, useRef } from 'react';
import { init, type ChartOption, type ECharts } from './echarts';

interface ChartProps {
  readonly option: ChartOption;
  readonly height: number;
  /** What the picture shows, for readers who do not see it. */
  readonly label: string;
}

/** A chart that follows the size of its place and redraws when its option changes. */
export default function Chart({ option, height, label }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts>(null);

  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const drawn = init(element, null, { renderer: 'svg' });
    chart.current = drawn;
    const observer = new ResizeObserver(() => {
      drawn.resize();
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.dispose();
      chart.current = null;
    };
  }, []);

  useEffect(() => {
    chart.current?.setOption(option, { notMerge: false, replaceMerge: ['series'] });
  }, [option]);

  return <div ref={place} role="img" aria-label={label} style={{ height, width: '100%' }} />;
}

import { Button, Group } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconCalendar, IconChevronLeft, IconChevronRight } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { Link } from 'react-router';
import { campaignCalendarQuery } from '../../api/campaigns';
import { EmptyState } from '../../parts/EmptyState';
import { Loaded } from '../../parts/Loaded';
import { Moment } from '../../parts/Moment';
import { Panel } from '../../parts/Panel';
import { SkeletonRows } from '../../parts/Skeletons';
import './campaigns.css';
import { OutboundStatus } from './OutboundStatus';
import { byDay } from './words';

const dayMs = 86_400_000;
const pageDays = 28;

/** When campaigns are due, four weeks at a time. */
export function CalendarPanel() {
  const [page, setPage] = useState(0);
  const { from, to } = useMemo(() => {
    const midnight = new Date();
    midnight.setHours(0, 0, 0, 0);
    const start = midnight.getTime() + page * pageDays * dayMs;
    return { from: new Date(start).toISOString(), to: new Date(start + pageDays * dayMs).toISOString() };
  }, [page]);
  const due = useQuery(campaignCalendarQuery(from, to));
  return (
    <Panel
      title="Calendar"
      note="By their schedules, also of campaigns that were not started."
      actions={
        <Group gap={4}>
          <Button size="compact-xs" variant="default" aria-label="Four weeks earlier" onClick={() => { setPage(page - 1); }}>
            <IconChevronLeft size={14} />
          </Button>
          <Button size="compact-xs" variant="default" disabled={page === 0} onClick={() => { setPage(0); }}>
            Today
          </Button>
          <Button size="compact-xs" variant="default" aria-label="Four weeks later" onClick={() => { setPage(page + 1); }}>
            <IconChevronRight size={14} />
          </Button>
        </Group>
      }
    >
      <Loaded query={due} skeleton={<SkeletonRows rows={4} />}>
        {(data) =>
          data.items.length === 0 ? (
            <EmptyState icon={<IconCalendar size={20} />} title="Nothing is due in these four weeks" />
          ) : (
            <ol className="q-calendar">
              {byDay(data.items).map(([day, items]) => (
                <li key={day}>
                  <h3>{new Date(day).toLocaleDateString(undefined, { weekday: 'short', day: 'numeric', month: 'short' })}</h3>
                  {items.map((item) => (
                    <p key={`${item.campaign} ${item.at}`}>
                      <Moment at={item.at} as="clock" />{' '}
                      <Link className="q-link" to={`/campaigns/${encodeURIComponent(item.campaign)}`}>
                        {item.name ?? item.campaign}
                      </Link>{' '}
                      <OutboundStatus status={item.status} />
                    </p>
                  ))}
                </li>
              ))}
            </ol>
          )
        }
      </Loaded>
    </Panel>
  );
}

// Sends the calls of calls.json with an unmodified SDK: node speak.mjs <sdk> <url> <calls.json>
import { readFileSync } from 'node:fs';
import { Analytics } from '@segment/analytics-node';
import { PostHog } from 'posthog-node';
import RudderAnalytics from '@rudderstack/rudder-sdk-node';
import {
  buildFormSubmission, buildLinkClick, buildPagePing, buildPageView, buildStructEvent, newTracker,
} from '@snowplow/node-tracker';

const [sdk, url, file] = process.argv.slice(2);

function send(client) {
  JSON.parse(readFileSync(file)).forEach(({ call, ...given }, index) => {
    const second = String(index + 1).padStart(2, '0');
    client[call]({ ...given, messageId: `call-${index + 1}`, timestamp: new Date(`2026-03-01T10:00:${second}Z`) });
  });
}

if (sdk === 'segment') {
  const client = new Analytics({ writeKey: 'dev', host: url });
  send(client);
  await client.closeAndFlush();
} else if (sdk === 'rudderstack') {
  const client = new RudderAnalytics('dev', { dataPlaneUrl: url });
  send(client);
  await client.flush();
} else if (sdk === 'posthog') {
  const client = new PostHog('dev', { host: url });
  client.capture({
    distinctId: 'u1', event: 'Demo Requested', groups: { company: 'acme', team: 'red' },
    properties: { seats: 7, $set: { email: 'Ann@Acme.com' } },
  });
  client.capture({
    distinctId: 'v1', event: '$pageview',
    properties: { $current_url: 'https://www.example.com/pricing', $ip: '203.0.113.9', $process_person_profile: false },
  });
  client.identify({ distinctId: 'u1', properties: { email: 'Ann@Acme.com', plan: 'pro' } });
  client.alias({ distinctId: 'v1', alias: 'u1' });
  client.groupIdentify({ groupType: 'company', groupKey: 'acme', properties: { name: 'Acme' } });
  await client.shutdown();
} else {
  const tracker = newTracker(
    { namespace: 'ns', appId: 'dev', encodeBase64: true }, { endpoint: url, eventMethod: 'post', bufferSize: 5 },
  );
  tracker.setPlatform('web');
  tracker.setUserId('u1');
  tracker.setDomainUserId('dom-1');
  tracker.setNetworkUserId('net-1');
  tracker.setLang('de-AT');
  tracker.setIpAddress('203.0.113.9');
  const page = { pageUrl: 'https://www.example.com/pricing', pageTitle: 'Pricing', referrer: 'https://www.example.org/' };
  const webPage = [{ schema: 'iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0', data: { id: 'page-1' } }];
  tracker.track(buildPageView(page), webPage);
  tracker.track(buildPagePing({ ...page, minXOffset: 1, maxXOffset: 10, minYOffset: 2, maxYOffset: 700 }), webPage);
  tracker.track(buildStructEvent({ category: 'shop', action: 'add-to-basket', label: 'plan', property: 'pro', value: 7.5 }));
  tracker.track(buildLinkClick({ targetUrl: 'https://www.example.com/docs?a=>>>???', elementId: 'docs' }), webPage);
  tracker.track(buildFormSubmission({
    formId: 'demo', formClasses: ['big'], elements: [{ name: 'company', value: 'Größe ✓' }],
  }));
  await tracker.flush();
}

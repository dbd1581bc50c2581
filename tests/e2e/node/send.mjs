// Sends one of everything with an unmodified SDK: node send.mjs <sdk> <url> [option]
// It is copied next to the installed node_modules, so that imports resolve.
import { PostHog } from 'posthog-node';
import { Analytics } from '@segment/analytics-node';
import RudderAnalytics from '@rudderstack/rudder-sdk-node';
import { buildPageView, buildSelfDescribingEvent, buildStructEvent, newTracker } from '@snowplow/node-tracker';

const [sdk, url, option] = process.argv.slice(2);
const context = {
  campaign: { source: 'news', medium: 'email', name: 'spring', term: 't', content: 'c' },
  page: { url: 'https://www.example.com/pricing', referrer: 'https://www.example.org/', title: 'Pricing' },
  locale: 'de-AT', groupId: 'acme', ip: '203.0.113.9',
  userAgent: 'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36',
};

function sendCalls(client) {
  const person = { userId: 'u1', anonymousId: 'anon-1' };
  const then = Date.now() - 60_000;
  client.identify({ ...person, traits: { email: 'ann@acme.com', plan: 'pro' }, context, timestamp: new Date(then) });
  client.track({
    ...person, event: 'Demo Requested', properties: { seats: 7, nested: { a: [1, null] } }, context,
    timestamp: new Date(then + 1234),
  });
  client.page({ ...person, category: 'docs', name: 'Install', properties: { url: 'https://www.example.com/docs' } });
  client.screen({ ...person, name: 'Home', properties: { tab: 'first' } });
  client.group({ ...person, groupId: 'acme', traits: { name: 'Acme' } });
  client.alias({ previousId: 'anon-0', userId: 'u1' });
  client.track({ anonymousId: 'anon-2', event: 'Größe ✓', properties: { text: 'naïve\u2028' } });
}

if (sdk === 'segment') {
  const client = new Analytics({ writeKey: 'dev', host: url });
  sendCalls(client);
  await client.closeAndFlush();
} else if (sdk === 'rudderstack') {
  const client = new RudderAnalytics('dev', { dataPlaneUrl: url, gzip: option === 'gzip' });
  sendCalls(client);
  await client.flush();
} else if (sdk === 'posthog') {
  const client = new PostHog('dev', { host: url });
  client.capture({
    distinctId: 'u1', event: 'Plan Changed', groups: { company: 'acme' },
    properties: { seats: 7, text: 'Größe ✓', $set: { email: 'ann@acme.com' } },
  });
  client.capture({
    distinctId: option, event: '$pageview',
    properties: { $process_person_profile: false, $current_url: 'https://www.example.com/pricing?utm_source=news' },
  });
  client.alias({ distinctId: option, alias: 'u1' });
  await client.shutdown();
} else {
  const [method, encoding] = option.split('-');
  const tracker = newTracker(
    { namespace: 'ns', appId: 'dev', encodeBase64: encoding === 'base64' },
    { endpoint: url, eventMethod: method, bufferSize: 1 },
  );
  tracker.setPlatform('web');
  tracker.setUserId('u1');
  tracker.setDomainUserId('dom-1');
  tracker.setLang('de-AT');
  tracker.setUseragent(context.userAgent);
  tracker.track(buildPageView({
    pageUrl: 'https://www.example.com/pricing?utm_source=news', pageTitle: 'Pricing', referrer: 'https://www.example.org/',
  }));
  tracker.track(buildStructEvent({ category: 'shop', action: 'add-to-basket', label: 'plan', property: 'pro', value: 7.5 }));
  tracker.track(
    buildSelfDescribingEvent({ event: { schema: 'iglu:com.example/demo_requested/jsonschema/1-0-0', data: { seats: 7, text: 'Größe ✓' } } }),
    [{ schema: 'iglu:com.example/account/jsonschema/1-0-0', data: { id: 'acme' } }],
  );
  await tracker.flush();
}

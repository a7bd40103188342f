// Theme and language of this browser.
import { chosenLanguage, LANGUAGES, setTheme, theme, THEMES, type Language } from '../appearance.ts';
import { Choice } from '../parts/field.tsx';
import { Page, Panel } from '../parts/page.tsx';
import { setLanguage, t } from '../text/text.ts';

/** Each language in its own words, so that whoever needs it finds it. */
const LANGUAGE_NAMES: Readonly<Record<Language, string>> = { en: 'English', de: 'Deutsch' };

export function AppearancePage() {
  return (
    <Page
      title={t('nav.appearance')}
      trail={t('nav.administration')}
      lead={t('appearance.lead')}
      width="narrow"
    >
      <Panel title={t('appearance.theme')}>
        <Choice
          legend={t('appearance.theme')}
          hidesLegend
          name="theme"
          value={theme.value}
          options={THEMES.map((one) => ({ value: one, label: t(`appearance.${one}`) }))}
          onValue={setTheme}
        />
      </Panel>
      <Panel title={t('appearance.language')} lead={t('appearance.languageLead')}>
        <Choice
          legend={t('appearance.language')}
          hidesLegend
          name="language"
          value={chosenLanguage.value ?? 'browser'}
          options={[
            { value: 'browser', label: t('appearance.browser') },
            ...LANGUAGES.map((one) => ({ value: one, label: LANGUAGE_NAMES[one] })),
          ]}
          onValue={(value: Language | 'browser') => void setLanguage(value === 'browser' ? null : value)}
        />
      </Panel>
    </Page>
  );
}

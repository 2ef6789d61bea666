//! The words themselves, apart from given names: the labels that forms, letters, tables and programs put beside values, in
//! English and French, and in the language of the country whose number it is.
//!
//! Lower case; accents may be left out in the text. Words of several parts are found joined, too (`birth_date`, `birthDate`).

use super::topics::Topics as T;
use crate::data_plane::dlp::detect::person::given;

/// Words by what they say, between bars.
pub(super) const WORDS: &[(T, &str)] = &[
    (
        T::NIR,
        "nir|insee|numéro de sécurité sociale|n° de sécurité sociale|no de sécurité sociale|num sécurité sociale|numéro de sécu|\
        n° de sécu|n° sécu|no sécu|num sécu|numéro sécu|numéro sécurité sociale|n° sécurité sociale|sécu|nss|carte vitale|vitale|assuré social|\
        numéro d'assuré|n° d'assuré|immatriculation sociale|numéro d'inscription au répertoire|french social security number|\
        french social security|n° ss|no ss|cpam|sécu sociale",
    ),
    (T::NIR.and(T::AHV), "sécurité sociale|assurance maladie|numéro d'assurance sociale"),
    (
        T::NIR.and(T::AHV).and(T::SSN),
        "social security number|social security no|social security|social insurance number|social insurance",
    ),
    (
        T::SSN,
        "ssn|ss #|ss#|ss no|ss number|us ssn|soc sec|soc. sec.|socsec|us social security number|american social security number",
    ),
    (T::SSN.and(T::ITIN), "taxpayer identification number|taxpayer id"),
    (T::ITIN, "itin|individual taxpayer|individual taxpayer identification number|individual taxpayer id"),
    (
        T::SIREN,
        "siren|numéro siren|n° siren|rcs|r.c.s.|registre du commerce|registre du commerce et des sociétés|immatriculée au|\
        immatriculée sous|greffe|french company number|company registration number|company number|registration number|trade register",
    ),
    (
        T::SIREN.and(T::SIRET),
        "siren/siret|sirene|numéro d'entreprise|identifiant entreprise|numéro d'identification de l'entreprise",
    ),
    (T::SIRET, "siret|numéro siret|n° siret|établissement|numéro d'établissement|french establishment number"),
    (
        T::TVA,
        "tva|n° tva|numéro de tva|tva intracommunautaire|tva intracom|tva intra|intracommunautaire|vat|vat number|vat no|vat id|vatin|\
        vat registration|vat registration number|french vat",
    ),
    (T::NHS, "nhs|nhs number|nhs no|nhs no.|nhs num|nhs #|national health service|numéro nhs|n° nhs"),
    (
        T::NINO,
        "nino|ni|ni number|ni no|ni no.|ni #|national insurance|national insurance number|national insurance no|nat ins|nat. ins.|\
        assurance nationale|numéro d'assurance nationale|nin",
    ),
    (
        T::NIF.and(T::CONTRIBUINTE),
        "nif|número de identificación fiscal|n.i.f.|numéro d'identification fiscale|numéro fiscal|n° fiscal",
    ),
    (
        T::NIF,
        "dni|d.n.i.|documento nacional de identidad|cif|nif español|spanish id|spanish tax id|identité espagnole|dni español|nif/dni|dni/nif|\
        nif espagnol|dni espagnol|documento nacional|spanish national id|spanish dni|spanish nif",
    ),
    (
        T::NIE,
        "nie|n.i.e.|número de identidad de extranjero|identidad de extranjero|nie espagnol|spanish nie|foreigner identity number|\
        foreigner id|foreigner identification number|numéro d'étranger|tarjeta de extranjero",
    ),
    (T::NIF.and(T::NIE), "nif/nie|dni/nie|nie/nif|nie/dni"),
    (
        T::FISCAL,
        "codice fiscale|cod. fiscale|cod fiscale|cod. fisc.|c.f.|cf|fiscal code|code fiscal|code fiscal italien|italian tax code|\
        italian fiscal code|italian tax id",
    ),
    (
        T::STEUER,
        "steuer-id|steuer id|steuerid|steueridentifikationsnummer|steuer-identifikationsnummer|steuerliche identifikationsnummer|\
        identifikationsnummer|idnr|id-nr|idnr.|id-nr.|steuer-idnr|steuer-idnr.|steueridnr|steuernummer|steuer-nr|tin|german tax id|\
        german tax identification number|german tax number|identifiant fiscal allemand|numéro fiscal allemand|german tin|german steuer-id",
    ),
    (
        T::STEUER.and(T::CONTRIBUINTE).and(T::SSN).and(T::ITIN).and(T::NIF).and(T::BSN).and(T::FISCAL),
        "tax id|tax id number|tax identification number|\
        tax number|tax no|tax identifier|taxpayer number|identifiant fiscal|tax reference",
    ),
    (
        T::BELGIAN,
        "rijksregisternummer|rijksregister|insz|niss|registre national|numéro de registre national|numéro national|n° national|nrn|\
        belgian national number|national register|national register number|national registry number|national number|rrn|inss|\
        belgian id|n° de registre national|numéro de registre|registre national belge|n° registre national|no registre national|nn",
    ),
    (
        T::BSN,
        "bsn|burgerservicenummer|burger service nummer|sofinummer|sofi-nummer|sofi|citizen service number|dutch citizen number|\
        numéro de service citoyen|numéro citoyen néerlandais|bsn-nummer|dutch bsn|bsn néerlandais|rsin|persoonsnummer",
    ),
    (
        T::PESEL,
        "pesel|numer pesel|nr pesel|polish national id|polish id|identifiant polonais|polish id number|numéro pesel",
    ),
    (
        T::CONTRIBUINTE,
        "contribuinte|número de contribuinte|n.º de contribuinte|número de identificação fiscal|nº contribuinte|\
        nif português|portuguese tax|portuguese tax number|portuguese tax id|portuguese nif|nif portugais|numéro fiscal portugais|nipc|contribuable portugais",
    ),
    (
        T::AHV,
        "ahv|avs|ahv-nummer|ahv-nr|ahvn13|navs13|navs|ahvn|numéro avs|n° avs|no avs|ahv number|avs number|oasi|\
        sozialversicherungsnummer|sozialversicherung|swiss social security|swiss social security number|avs/ahv|ahv/avs|avs suisse",
    ),
    (
        T::PASSPORT,
        "passport|passport number|passport no|passport no.|passport num|passport #|passport id|passeport|numéro de passeport|n° de passeport|\
        no de passeport|n° passeport|passeport n°|passeport numéro|reisepass|reisepassnummer|passnummer|pasaporte|passaporto|paspoort|paspoortnummer|\
        passaporte|paszport|document de voyage|travel document|travel document number|travel doc",
    ),
    (
        T::ID_CARD,
        "identity card|identity card number|identity card no|id card|id card number|id card no|national identity card|national id card|\
        national id|national id number|carte d'identité|carte d’identité|carte nationale d'identité|carte nationale d’identité|\
        cni|numéro de cni|n° cni|cnie|cin|n° de cni|numéro de carte d'identité|n° de carte d'identité|pièce d'identité|pièce d’identité|\
        identity document|identity document number|id document|id number|id no|id no.|personalausweis|personalausweisnummer|\
        ausweisnummer|ausweis|ausweis-nr|identiteitskaart|identiteitskaartnummer|carta d'identità|carta identità|tarjeta de identidad|\
        cartão de cidadão|bilhete de identidade|dowód osobisty|nr dowodu|titre d'identité|titre de séjour|residence permit|eid|\
        id card #|id #|government id|identification card|photo id|document number|document no|numéro de document|\
        numéro de pièce d'identité|n° de pièce d'identité|carte identité|c.n.i.|num cni|numéro de la carte d'identité|numéro de la pièce d'identité|titre d'identité n°|carte d'identité n°|cni n°",
    ),
    (
        T::BIRTH,
        "born|born on|born in|date of birth|dates of birth|birth date|birthdate|birthday|birth day|dob|d.o.b.|d.o.b|date naissance|\
        date de naissance|né|née|né(e)|né·e|née le|né le|né(e) le|naissance|anniversaire|ddn|d.d.n.|dnaiss|dt naissance|date naiss|date naiss.|\
        geburtsdatum|geboren|geboren am|geb.|fecha de nacimiento|nacido|nacida|data di nascita|nato|nata|geboortedatum|geboren op|\
        data urodzenia|data de nascimento|naissances|bday|b-day|birth|date de naiss.|date de naiss|day of birth|jour de naissance",
    ),
    (
        T::NETWORK,
        "ip|ipv4|ipv6|ip address|adresse ip|addr|host|client ip|remote addr|peer|gateway|subnet|dns|server|serveur|hôte|inet|inet6|src|dst",
    ),
    (
        T::HARDWARE,
        "mac|mac address|adresse mac|hwaddr|lladdr|hw address|ethernet|physical address|adresse physique|bssid|wifi mac|mac addr",
    ),
    (
        T::WALLET,
        "wallet|wallet address|bitcoin|btc|xbt|ethereum|eth|ether|litecoin|ltc|ripple|xrp|tron|trx|solana|sol|crypto|cryptocurrency|\
        crypto address|adresse crypto|portefeuille|portemonnaie|dogecoin|doge|monero|xmr|cardano|ada|usdt|usdc|cryptomonnaie|bnb|polygon|\
        dash|zcash|zec|adresse btc|adresse eth|crypto wallet|spl|erc20|erc-20|trc20|trc-20|stablecoin|tether|phantom",
    ),
    (
        T::OTHER,
        "order|order number|order no|order id|order #|commande|n° de commande|numéro de commande|invoice|invoice number|invoice no|facture|\
        facture n°|n° de facture|numéro de facture|ref|reference|réf|référence|ticket|ticket number|case number|dossier|n° de dossier|\
        numéro de dossier|tracking|tracking number|tracking no|colis|n° de suivi|numéro de suivi|suivi|shipment|parcel|isbn|issn|doi|ean|gtin|upc|sku|lot|\
        batch|serial|serial number|numéro de série|n° de série|transaction|transaction id|account number|account no|account|compte|\
        numéro de compte|n° de compte|customer number|customer id|client id|client number|numéro client|n° client|numéro de client|\
        employee id|employee number|matricule|contract|contract number|contrat|n° de contrat|numéro de contrat|policy number|\
        tel|tél|telephone|téléphone|phone|phone number|mobile|portable|fax|cell|gsm|imei|imsi|iccid|zip|zip code|postal code|code postal|amount|montant|total|\
        price|prix|port|pid|uid|gid|timestamp|epoch|commit|revision|checksum|hash|md5|sha1|sha256|uuid|article|product|produit|part number|\
        item|page|pages|section|chapter|request id|session id|trace id|user id|build|build number|job|job id|run id|process|quote|devis|\
        duns|rna|ape|naf|orcid|pmid|patent|brevet|numéro de lot|routing number|sort code|code banque|code guichet|rib|bic|swift|\
        bon de livraison|delivery note|purchase order|po number|p.o.|bytes|octets|latitude|longitude|barcode|code-barres|model|modèle",
    ),
    (
        T::VERSION,
        "section|sections|clauses|chapter|chapitre|clause|paragraph|paragraphe|annexe|appendix|version|versions|ver|release|firmware|oid|snmp|driver|pilote|upgrade|upgraded to|updated to|mise à jour|bumped|bump",
    ),
    (
        T::TITLE,
        "née|mr|mr.|mrs|mrs.|ms|ms.|miss|mx|mx.|dr|dr.|prof|prof.|professor|sir|m.|mme|mme.|mlle|mlle.|me|maître|pr|pr.|docteur|doctor|\
        professeur|monsieur|madame|mademoiselle|herr|frau|señor|señora|sr.|sra.|dott.|dott.ssa|sig.|sig.ra|judge|juge|captain|capitaine|\
        lieutenant|colonel|sergeant|officer|nurse|mgr|mgr.|rev.|reverend|mister|missus|docteure|professeure|veuve|messrs|hon.|\
        père|sœur|lady|lord",
    ),
    (
        T::NAME,
        "full name|fullname|first name|firstname|last name|lastname|surname|family name|given name|given names|middle name|forename|forenames|\
        maiden name|birth name|prénom|prénoms|prénom(s)|nom de famille|nom de naissance|nom de jeune fille|nom d'usage|nom d’usage|nom complet|\
        nom et prénom|nom et prénoms|nom prénom|nom/prénom|nom & prénom|prénom et nom|prénom nom|nom du patient|nom de la patiente|nom du client|nom du salarié|\
        nom de l'assuré|nom de l'employé|nom du candidat|nom du titulaire|nom du contact|nom du bénéficiaire|patient name|customer name|client name|employee name|\
        contact name|account holder|cardholder|cardholder name|card holder|card holder name|name of patient|applicant name|candidate name|\
        student name|guest name|passenger name|emergency contact|next of kin|beneficiary name|titulaire|titulaire du compte|titulaire de la carte|\
        contact d'urgence|personne à contacter|bénéficiaire|signataire|signatory|signed|signé|signé par|signed by|vorname|nachname|nombre|\
        apellidos|cognome|achternaam|voornaam|name and surname|insured name|manager name|nom du responsable|\
        nom du conjoint|spouse name|spouse|conjoint|conjointe|legal name|print name|printed name|display name|nom de l'élève|\
        nom du locataire|tenant name|landlord|bailleur|locataire|preferred name|author name|owner name|nom du propriétaire|holder|\
        beneficiary|next-of-kin|participants|attendees|present:|present :|présents|excusés|excusé|excusée|absents|apologies|attending|recipient name",
    ),
    (
        T::NAMED,
        "name|nom|noms|from:|to:|cc:|bcc:|from :|to :|de:|de :|à:|à :|author|auteur|autrice|reviewed-by|signed-off-by|co-authored-by|committer|sender|recipient|expéditeur|\
        destinataire|patient|patiente|client|cliente|customer|employee|salarié|salariée|candidate|candidat|candidate name|candidature|applicant|\
        contact|contact person|interlocuteur|interlocutrice|manager|responsable|assignee|reporter|requester|demandeur|demandeuse|\
        owner|propriétaire|user|utilisateur|utilisatrice|agent|caller|appelant|speaker|intervenant|intervenante|student|élève|étudiant|étudiante|guest|passenger|\
        passager|passagère|tenant|insured|assuré|assurée|claimant|defendant|plaintiff|witness|témoin|doctor|médecin|médecin traitant|physician|\
        gp|consultant|lawyer|avocat|avocate|teacher|enseignant|enseignante|attn|attn.|attention|à l'attention de|à l’attention de|approved by|validé par|written by|\
        rédigé par|rédacteur|prepared by|préparé par|reviewed by|reviewer|relu par|created by|créé par|opened by|assigned to|assigné à|reported by|ship to|bill to|\
        livraison|facturation|facturé à|livré à|sold to|employé|employée|gérant|gérante|collaborateur|collaboratrice|supervisor|director|\
        directeur|directrice|président|présidente|secrétaire|secretary|chair|minutes by|facilitator|animateur|animatrice|host name|bénévole|\
        referee|referent|référent|référente|vendeur|vendeuse|acheteur|acheteuse|seller|buyer|mother|father|mère|père de|parent|enfant|child|\
        son|daughter|wife|husband|sister|brother|signature|operator|opérateur|opératrice|traveller|traveler|voyageur|member|membre|adhérent|adhérente|\
        infirmier|infirmière|technicien|technicienne|technician|engineer|ingénieur|driver name|conducteur|conductrice|organizer|organisateur|organisatrice|\
        invité|invitée|attendee|participant|participante|respondent|subject name|sujet|person|personne|individual|lead|pilote du projet|chef de projet|project manager",
    ),
    (
        T::ROLE,
        "patient|patiente|client|cliente|customer|employee|salarié|salariée|candidate|candidat|applicant|à l'attention de|à l’attention de|attn|\
        signed by|signé par|written by|rédigé par|prepared by|préparé par|approved by|validé par|reported by|assigned to|assigné à|represented by|\
        représenté par|représentée par|colleague|collègue|collègues|manager|my wife|my husband|my son|my daughter|my sister|my brother|my mother|my father|my boss|\
        ma femme|mon mari|mon fils|ma fille|ma sœur|mon frère|ma mère|mon père|mon collègue|ma collègue|my friend|mon ami|mon amie|my colleague|\
        contact|contacted|contacter|contactez|appelé|appeler|rencontré|met with|spoke with|spoke to|speak with|speak to|talk to|talked to|meeting with|réunion avec|\
        rendez-vous avec|rdv avec|échangé avec|discuté avec|parlé avec|parlé à|interview with|entretien avec|transférer à|forward to|\
        gérant|gérante|président|présidente|directeur|directrice|director|ceo|cto|cfo|attorney|avocat|avocate|doctor|on behalf of|au nom de|pour le compte de|\
        named|nommé|nommée|dénommé|dénommée|called|appelée|employé|employée|tenant|locataire|locataires|witness|témoin|lawyer|nurse|infirmière|\
        beneficiary|bénéficiaire|engineer|ingénieur|user|utilisateur|utilisatrice|assuré|assurée|mariée à|marié à|married to|épouse|époux|\
        veuf de|veuve de|fils de|fille de|son of|daughter of|author|auteur|composed by|recommended by|referred by|adressé par|adressée par|\
        remplacé par|replaced by|succeeded by|hired|embauché|recruté|promoted|joined by|accompanied by|accompagné de|accompagnée de",
    ),
    (
        T::INTRODUCTION,
        "my name is|my name's|i am|i'm|i’m|this is|je m'appelle|je m’appelle|je me nomme|mon nom est|je suis|ici|c'est|c’est|moi c'est|\
        name is|his name is|her name is|son nom est|il s'appelle|elle s'appelle|il s’appelle|elle s’appelle|ich heiße|ich bin|me llamo|mi chiamo|\
        who is called|goes by|you can call me|call me|appelez-moi|appelle-moi|speaking with|vous parlez à|speaking to",
    ),
    (
        T::GREETING,
        "dear|hi|hello|hey|good morning|good afternoon|good evening|bonjour|bonsoir|cher|chère|chers|salut|coucou|hola|ciao|hallo|thanks|\
        thank you|merci|sorry|congratulations|congrats|félicitations|bravo|welcome|bienvenue|greetings|rebonjour|re-bonjour|morning|bjr|slt|\
        desolé|désolée|good luck|happy birthday|joyeux anniversaire|bon anniversaire",
    ),
    (
        T::CLOSING,
        "regards|best regards|kind regards|warm regards|warmest regards|best|best wishes|all the best|cheers|thanks|many thanks|thanks again|thank you|\
        thanks in advance|sincerely|yours sincerely|sincerely yours|yours faithfully|yours truly|respectfully|yours|love|take care|talk soon|see you|cordially|\
        cordialement|bien cordialement|très cordialement|bien à vous|bien à toi|cdlt|cdt|cordialement vôtre|amicalement|amitiés|salutations|\
        salutations distinguées|sincères salutations|salutations respectueuses|sentiments distingués|meilleures salutations|respectueusement|\
        bonne journée|bonne soirée|bonne réception|à bientôt|à plus|bises|bisous|merci|merci d'avance|merci beaucoup|merci encore|\
        sentiments les meilleurs|considération distinguée|mes salutations distinguées|excellente journée|belle journée|dans l'attente de votre retour|\
        signed|signé|signature|with gratitude|warmly|cordiales salutations|mit freundlichen grüßen|saludos|xoxo",
    ),
    (
        T::VOIE,
        "rue|avenue|av|av.|ave|boulevard|bd|bd.|bld|blvd|boul.|place|pl|pl.|chemin|ch.|che|chem.|allée|allées|all.|impasse|imp.|imp|route|rte|rte.|quai|cours|\
        square|passage|pass.|sentier|venelle|ruelle|esplanade|promenade|lotissement|lot.|résidence|rés.|faubourg|fbg|fg|villa|cité|hameau|clos|\
        rond-point|voie|montée|traverse|mail|parvis|lieu-dit|zone artisanale|zone industrielle|z.a.|z.i.|za|zi|zac|domaine|porte|pont|\
        rocade|galerie|chaussée|côte|cour|carrefour|levée|rampe|corniche|digue|straat",
    ),
    (
        T::STREET,
        "street|st|st.|avenue|ave|ave.|road|rd|rd.|lane|ln|ln.|drive|dr|dr.|boulevard|blvd|blvd.|way|court|ct|ct.|place|pl|pl.|square|sq|sq.|terrace|ter|\
        close|crescent|cres|gardens|grove|mews|parkway|pkwy|pkwy.|highway|hwy|circle|cir|trail|trl|walk|row|hill|park|green|quay|wharf|loop|\
        alley|plaza|rise|view|broadway|turnpike|parade|embankment|yard|heights|point|crossing|path|pike|run|ridge|expressway|estate",
    ),
    (
        T::ADDRESS,
        "address|home address|postal address|mailing address|shipping address|billing address|street address|delivery address|residential address|\
        work address|current address|adresse|adresse postale|adresse de livraison|adresse de facturation|adresse du domicile|domicile|domicilié|\
        domiciliée|domicilié au|domiciliée au|domicilié à|demeurant|demeurant au|demeurant à|résidant|résidant au|habite au|habitant au|j'habite au|j'habite|living at|lives at|\
        live at|resides at|residing at|located at|situé au|située au|siège social|sis|sise|\
        anschrift|dirección|indirizzo|registered office|home addr|moved to|déménagé au|lieu de résidence|place of residence|\
        code postal et ville|address line 1|address 1|adresse 1|residence|locality|commune",
    ),
    (T::BOX, "po box|p.o. box|p o box|bp|b.p.|boîte postale|post office box|cs"),
    (T::GIVEN, given::NAMES),
    (
        T::UNIT,
        "euros|euro|eur|usd|dollars|dollar|fcfa|chf|gbp|pounds|livres|francs|bytes|octets|people|personnes|habitants|inhabitants|users|utilisateurs|\
        lines|lignes|rows|records|requests|requêtes|tokens|times|fois|steps|votes|views|vues|kb|mb|gb|ko|mo|go|ms|km",
    ),
    (
        T::DEALING,
        "with|avec|chez|told|tell|asked|ask|thank|merci|remercie|emailed|call|called|appelle|ping|pinged|contacted|met|meet|invite|invited|\
        prévenir|prévenez|informer|inform|informed|notify|reminded|remind|par|by|from",
    ),
    (
        T::PARTICLE,
        "de|du|des|d|la|le|van|von|der|den|ter|ten|da|dos|das|do|di|del|della|el|al|bin|ben|ibn|abu|zu|zur|af|av|y|e|ap|\
        st",
    ),
    (
        T::COMMON,
        "i'm|i’m|i'll|i’ll|i've|i’ve|i'd|i’d|it's|it’s|we're|that's|what's|let's|don't|don’t|can't|we'll|you're|c'est|c’est|j'ai|j’ai|d'accord|\
        qu'il|n'est|s'il|s’il|jusqu'à|the|a|an|and|or|of|for|to|in|on|at|by|with|from|this|that|these|those|our|your|their|his|her|its|my|we|you|\
        they|it|he|she|i|all|everyone|everybody|team|teams|there|folks|guys|friends|friend|colleague|colleagues|\
        customer|customers|client|clients|member|members|support|service|services|sir|madam|madame|monsieur|mesdames|\
        messieurs|mademoiselle|hiring|manager|managers|recruiter|committee|council|board|department|staff|user|users|\
        admin|administrator|world|sirs|ladies|gentlemen|valued|sales|marketing|finance|accounting|accounts|payroll|\
        billing|legal|security|engineering|product|products|project|projects|inc|ltd|llc|plc|gmbh|sa|sas|sarl|eurl|\
        corp|corporation|company|group|groupe|société|bank|banque|university|université|college|school|école|lycée|\
        hospital|hôpital|clinic|clinique|street|road|avenue|rue|boulevard|square|park|station|airport|aéroport|city|\
        town|county|state|states|kingdom|republic|france|england|scotland|wales|ireland|europe|america|africa|asia|\
        canada|germany|spain|italy|belgium|switzerland|london|york|angeles|francisco|lyon|marseille|toulouse|bordeaux|\
        january|february|march|april|may|june|july|august|september|october|november|december|monday|tuesday|wednesday|\
        thursday|friday|saturday|sunday|janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|\
        décembre|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|re|fw|fwd|subject|objet|date|note|notes|please|\
        thanks|thank|regards|hello|hi|dear|bonjour|merci|cordialement|bien|cher|chère|le|la|les|un|une|des|nous|vous|\
        ils|elles|votre|notre|mon|ma|mes|ce|cette|ces|je|tu|il|elle|ne|pas|pour|dans|sur|avec|sans|par|et|ou|si|oui|\
        non|yes|no|not|n/a|na|tbd|unknown|none|null|true|false|nil|undefined|test|tests|testing|build|builds|run|\
        install|deploy|deployment|check|create|update|delete|get|set|add|remove|upload|download|start|stop|setup|\
        config|configuration|api|sdk|http|https|json|xml|yaml|csv|sql|html|css|url|uri|id|ids|pdf|git|github|gitlab|\
        docker|kubernetes|linux|windows|python|java|rust|node|server|client-side|data|database|file|files|table|column|\
        row|page|section|chapter|figure|version|release|order|number|name|address|phone|email|mail|birth|total|amount|\
        price|invoice|payment|account|contract|policy|report|summary|overview|introduction|conclusion|request|response|\
        error|warning|info|debug|status|code|codes|type|value|key|keys|token|opus|sonnet|haiku|new|old|first|last|next|\
        previous|other|open|closed|done|todo|in-progress|high|low|medium|critical|urgent|important|tax|vat|tva|siret|\
        siren|iban|bic|nir|ssn|passport|directeur|directrice|responsable|président|présidente|maître|docteur|équipe|\
        comité|conseil|ministère|mairie|préfecture|tribunal|assurance|assurances|commande|facture|contrat|dossier|\
        adresse|téléphone|tél|tel|courriel|prénom|nom|naissance|patient|patiente|nationalité|sexe|âge|profession|dr|mr|\
        mrs|ms|mme|mlle|prof|general|motors|electric|cloud|systems|solutions|technologies|software|foundation|\
        institute|center|centre|association|agency|agence|office|bureau|here|what|when|where|why|how|who|which|can|\
        could|would|should|will|is|are|was|were|be|been|has|have|had|do|does|did|just|also|so|but|as|if|then|than|now|\
        today|tomorrow|yesterday|aujourd'hui|demain|hier|again|soon|morning|afternoon|evening|weekend|year|week|day|\
        days|month|male|female|homme|femme|single|married|célibataire|divorcé|divorcée|french|english|\
        british|american|français|française|anglais|anglaise|head|chief|officer|engineer|developer|designer|analyst|\
        consultant|director|assistant|coordinator|specialist|developper|nurse|doctor|professor|lead|senior|junior|\
        intern|ceo|cto|cfo|coo|hr|rh|uk|us|usa|eu|gb|fr|best|kind|warm|sincerely|cheers|sent|via|envoyé|attached|\
        attachment|call|meeting|agenda|minutes|action|actions|attendees|quarter|quarterly|review|plan|planning|\
        budget|demo|onboarding|training",
    ),
    (
        T::OF_PLACES,
        "rue|avenue|av|boulevard|bd|place|quai|allée|impasse|square|cours|chemin|route|pont|gare|saint|sainte|st|san|\
        santa|lycée|collège|école|hôpital|aéroport|port|institut|fondation|stade|université|cathédrale|église|prix|\
        théâtre|musée|clinique|station|metro|métro|résidence|centre|parc|rond-point|passage",
    ),
    (
        T::SMALL_TITLE,
        "née|monsieur|madame|mademoiselle|docteur|docteure|professeur|professeure|maître|doctor|professor|mister|missus",
    ),
    (
        T::JOINER,
        "de|du|des|d|la|le|les|l|et|à|au|aux|en|sous|sur|saint|sainte|st|ste|von|der|van|den|lès|lez|upon|on|the|of|in|\
        by|and",
    ),
    (
        T::NO_TOWN,
        "tel|tél|téléphone|phone|fax|mobile|email|e-mail|mail|siret|siren|tva|vat|iban|the|and|but|please|he|she|it|we|\
        i|you|they|on|in|at|for|le|la|il|elle|nous|vous|je|tu|et|mais|or|our|my|his|her|date|born|né|née|dob|n°",
    ),
    (
        T::MONTH,
        "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre|january|february|march|\
        april|may|june|july|august|september|october|november|december",
    ),
];

// SPDX-License-Identifier: MIT
//
// What the official SDK can write: an item of every category, a field of
// every type.

export const bytes = (...parts) => new Uint8Array(Buffer.concat(
	parts.map((p) => Buffer.from(p))));

export const field = (id, fieldType, value, more = {}) =>
	({ id, title: id, fieldType, value, ...more });

export const login = () => [field("username", "Text", "someone"),
	field("password", "Concealed", "first-pw")];

// One field of every type that the SDK can write, in a section.
export const everyType = (reference) => [
	["Text", "tëxt"], ["Concealed", "hidden"], ["CreditCardType", "mc"],
	["CreditCardNumber", "4111111111111111"], ["Phone", "+1 555 0101"],
	["Url", "https://u.example"], ["Totp", "JBSWY3DPEHPK3PXP"],
	["Email", "a@example.com"], ["Reference", reference],
	["Menu", "opt-b"], ["MonthYear", "12/2027"], ["Date", "2024-03-04"],
].map(([type, value]) => field(`k_${type}`, type, value, { sectionId: "s" }));

const address = { street: "1 Example Way", city: "Toronto", country: "ca",
	zip: "M5V 1A1", state: "ON" };

const PEM = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIDQE3n/9UbiqAssK8FRXHU4Oy8MotmtrpfxYi6uBlSQW
-----END PRIVATE KEY-----
`;

// Template by category, and what an item of it needs besides a title.
export const categories = {
	Login: ["001", { fields: login(), tags: ["a", "b/c"], websites: [
		{ url: "https://x.example", label: "website",
			autofillBehavior: "AnywhereOnWebsite" },
		{ url: "https://y.example", label: "y",
			autofillBehavior: "ExactDomain" },
		{ url: "https://z.example", label: "",
			autofillBehavior: "Never" }] }],
	CreditCard: ["002", { fields: [
		field("ccnum", "CreditCardNumber", "4111111111111111"),
		field("type", "CreditCardType", "visa"),
		field("expiry", "MonthYear", "12/2028")] }],
	SecureNote: ["003", { notes: "first line\nünïcödé ✓" }],
	Identity: ["004", { fields: [field("firstname", "Text", "Ada"),
		field("address", "Address", "", { sectionId: "s",
			details: { type: "Address", content: address } })],
		sections: [{ id: "s", title: "Address" }] }],
	Password: ["005", { fields: [
		field("password", "Concealed", "pw")] }],
	Document: ["006", { document: { name: "doc.txt",
		content: bytes("a document\n") } }],
	SoftwareLicense: ["100"], BankAccount: ["101"], Database: ["102"],
	DriverLicense: ["103"], OutdoorLicense: ["104"], Membership: ["105"],
	Passport: ["106"], Rewards: ["107"], SocialSecurityNumber: ["108"],
	Router: ["109"], Server: ["110"], Email: ["111"],
	ApiCredentials: ["112"], MedicalRecord: ["113"],
	SshKey: ["114", { fields: [field("private_key", "SshKey", PEM,
		{ title: "private key" })] }],
	CryptoWallet: ["115"], Person: ["910"],
};
